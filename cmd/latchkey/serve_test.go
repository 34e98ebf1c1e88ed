package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func TestTheAddressToOpenWorksOnThisMachine(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8123": "http://127.0.0.1:8123/",
		"192.0.2.7:80":   "http://192.0.2.7:80/",
		"[::1]:8123":     "http://[::1]:8123/",
		"0.0.0.0:8123":   "http://localhost:8123/",
		"[::]:41234":     "http://localhost:41234/",
	} {
		at, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := openAddress(at); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestTheSetupCodeIsShownOnlyWhileItIsOfUse(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8123}
	for code, lines := range map[latchkey.Secret]int{"": 1, "ABCD-EFGH-IJKL-MNOP": 2} {
		var out strings.Builder
		if err := announce(&out, at, code); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n") != lines || !strings.Contains(out.String(), code.Reveal()) {
			t.Errorf("with the code %q: %q", code.Reveal(), out.String())
		}
	}
}

func TestAnAddressThatCannotBeUsedIsAnsweredWithAdvice(t *testing.T) {
	for number, says := range map[syscall.Errno]string{
		syscall.EADDRINUSE:    "another port",
		syscall.EACCES:        "a higher one",
		syscall.EADDRNOTAVAIL: "not an address of this machine",
		syscall.EAFNOSUPPORT:  "another address",
	} {
		got := adviseListen("[::1]:80", &net.OpError{Op: "listen", Net: "tcp", Err: number}).Error()
		if !strings.HasPrefix(got, "listen on [::1]:80: "+number.Error()+": ") || !strings.Contains(got, says) {
			t.Errorf("%v: %s", number, got)
		}
	}
}

// spec: security.md 7, and onboarding.md §3.3.
func TestTheSetupCodeThatIsPrintedOpensTheHouseFromElsewhere(t *testing.T) {
	s := serve(t)
	ask := func(code string) (int, string) {
		body, err := json.Marshal(map[string]string{
			"client_id": "http://house.local/", "name": "Anna", "username": "anna", "password": "correct horse battery",
			"language": "en", "setup_code": code,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s.do(t, http.MethodPost, "/api/onboarding/users", "house.local", string(body))
	}
	for host, asks := range map[string]bool{"house.local": true, s.address: false} {
		_, page := s.do(t, http.MethodGet, "/onboarding.html", host, "")
		if got := strings.Contains(page, `data-setup-code="required"`); got != asks || !strings.Contains(page, "<html") {
			t.Errorf("that the page for %s asks for the code is %t", host, got)
		}
	}
	if status, answer := ask("AAAA-AAAA-AAAA-AAAA"); status != http.StatusForbidden {
		t.Errorf("a wrong code was answered by %d %s", status, answer)
	}
	if status, answer := ask(strings.ToLower(s.code)); status != http.StatusOK {
		t.Errorf("the code %q was answered by %d %s", s.code, status, answer)
	}
}

// do sends a request as if it were for a host of this name.
func (s *serving) do(t *testing.T, method, path, host, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
