package main

import (
	"net"
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
