package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-6a977b3d/latchkey/server"
)

// A logger may be left out, as everywhere else.
func TestAnHTTPServerWithoutALoggerServes(t *testing.T) {
	listener := httptest.NewUnstartedServer(nil)
	listener.Config = server.HTTPServer(http.NotFoundHandler(), nil)
	listener.Start()
	defer listener.Close()
	answer, err := listener.Client().Get(listener.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", answer.Status)
	}
}
