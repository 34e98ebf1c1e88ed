package webhook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/notify/webhook"
)

func newSender(t *testing.T, cfg webhook.Config) *webhook.Sender {
	t.Helper()
	s, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a server, and stops it when the test ends.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// spec: mfa.md §5, "Sending"
func TestMessagesArePosted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format webhook.Format
		m      notify.Message
		body   string
		kind   string
	}{
		{"JSON", "", notify.Message{Text: `code "1"`}, `{"message":"code \"1\""}`, "application/json"},
		{"JSON with target", webhook.JSON, notify.Message{Text: "code", Target: "anna"}, `{"message":"code","target":["anna"]}`, "application/json"},
		{"text", webhook.Text, notify.Message{Text: "code ✓"}, "code ✓", "text/plain; charset=utf-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != tt.body || r.Method != http.MethodPost || r.URL.Path != "/topic" ||
					r.Header.Get("Content-Type") != tt.kind || r.Header.Get("Authorization") != "Bearer t" {
					t.Errorf("%s %s %v %q, %v", r.Method, r.URL, r.Header, body, err)
				}
				w.WriteHeader(http.StatusAccepted)
			})
			s := newSender(t, webhook.Config{URL: server.URL + "/topic", Format: tt.format, Header: http.Header{"authorization": {"Bearer t"}}})
			if err := s.Send(t.Context(), tt.m); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestATextHasNoPlaceForATarget(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	s := newSender(t, webhook.Config{URL: server.URL, Format: webhook.Text})
	if err := s.Send(t.Context(), notify.Message{Text: "code", Target: "anna"}); err == nil {
		t.Error("a target is dropped")
	}
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 400, 401, 404, 500, 503} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if r.URL.Path == "/elsewhere" {
				t.Errorf("status %d: the request was made again without its body", status)
			}
		})
		err := newSender(t, webhook.Config{URL: server.URL}).Send(t.Context(), notify.Message{Text: "code"})
		if err == nil || !strings.Contains(err.Error(), http.StatusText(status)) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// The code goes to nobody but the host that was configured.
func TestRedirects(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the code was sent to another host") })
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var arrived []string
		home := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/away":
				http.Redirect(w, r, elsewhere.URL, status)
			case "/here":
				http.Redirect(w, r, "/final", status)
			case "/loop":
				http.Redirect(w, r, "/loop", status)
			default:
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				arrived = append(arrived, r.Method+" "+string(body))
			}
		})
		send := func(path string) error {
			return newSender(t, webhook.Config{URL: home.URL + path, Format: webhook.Text}).Send(t.Context(), notify.Message{Text: "code"})
		}
		if err := send("/away"); err == nil {
			t.Errorf("%d to another host is a success", status)
		}
		if err := send("/loop"); err == nil {
			t.Errorf("%d without end is a success", status)
		}
		if err := send("/here"); err != nil || len(arrived) != 1 || arrived[0] != "POST code" {
			t.Errorf("%d on the same host: %v, %v", status, arrived, err)
		}
	}
}

// A hook that does not answer is given up, and its address, which may hold a secret, is not told.
func TestHooksThatDoNotAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	defer close(release)
	s := newSender(t, webhook.Config{URL: server.URL + "/hidden"})
	if err := s.Send(ctx, notify.Message{Text: "code"}); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error = %v", err)
	}
	s = newSender(t, webhook.Config{URL: server.URL + "/hidden", Timeout: 1})
	if err := s.Send(t.Context(), notify.Message{Text: "code"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for name, cfg := range map[string]webhook.Config{
		"no url":         {},
		"no host":        {URL: "https:///x"},
		"other scheme":   {URL: "ftp://example.org/"},
		"relative":       {URL: "/hidden"},
		"unreadable":     {URL: "https://example.org/hidden%zz"},
		"unknown format": {URL: "https://example.org/", Format: "xml"},
		"negative":       {URL: "https://example.org/", Timeout: -1},
	} {
		if _, err := webhook.New(cfg); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
