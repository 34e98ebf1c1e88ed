package mail_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	sender "github.com/seed-6a977b3d/latchkey/mfa/notify/mail"
)

const text = "123456 ist der Schlüssel"

func config(port int, pool *x509.CertPool) sender.Config {
	return sender.Config{
		Host: "127.0.0.1", Port: port, TLS: &tls.Config{RootCAs: pool},
		From: "Home <home@example.org>", To: "family@example.org", Subject: "Schlüssel",
	}
}

func newSender(t *testing.T, cfg sender.Config) *sender.Sender {
	t.Helper()
	s, err := sender.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spec: mfa.md §5, "Sending"
func TestMessagesAreSent(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server func(*server)
		config func(*sender.Config)
		target string
		want   letter
	}{
		{"STARTTLS with a password",
			func(s *server) { s.startTLS, s.login = true, "home secret" },
			func(c *sender.Config) { c.Username, c.Password = "home", "secret" },
			"anna@example.org",
			letter{From: "home@example.org", To: "anna@example.org", Login: "home secret", Encrypted: true}},
		{"TLS with a password",
			func(s *server) { s.fromTLS, s.login = true, "home secret" },
			func(c *sender.Config) { c.Security, c.Username, c.Password = sender.TLS, "home", "secret" },
			"Anna <anna@example.org>",
			letter{From: "home@example.org", To: "anna@example.org", Login: "home secret", Encrypted: true}},
		{"plain, to everybody's address",
			func(*server) {}, func(c *sender.Config) { c.Security = sender.Plain }, "",
			letter{From: "home@example.org", To: "family@example.org"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, port, pool := newServer(t, tt.server)
			cfg := config(port, pool)
			tt.config(&cfg)
			if err := newSender(t, cfg).Send(t.Context(), notify.Message{Text: text, Target: tt.target}); err != nil {
				t.Fatal(err)
			}
			got := server.letters()
			if d := cmp.Diff([]letter{tt.want}, got, cmpopts.IgnoreFields(letter{}, "Data")); d != "" {
				t.Fatal("(-want +got):", d)
			}
			m, err := mail.ReadMessage(strings.NewReader(got[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			if body := got[0].Data; !strings.Contains(body, "123456 ist der Schl=C3=BCssel") || m.Header.Get("Date") == "" ||
				m.Header.Get("Message-ID") == "" || m.Header.Get("From") != `"Home" <home@example.org>` ||
				m.Header.Get("Subject") != "=?UTF-8?q?Schl=C3=BCssel?=" {
				t.Errorf("letter:\n%s", body)
			}
		})
	}
}

// What cannot be protected, or is refused, is an error, and nothing is sent.
func TestMessagesThatAreNotSent(t *testing.T) {
	signIn := func(c *sender.Config) { c.Username, c.Password = "home", "hush" }
	for _, tt := range []struct {
		name   string
		server func(*server)
		config func(*sender.Config)
		target string
	}{
		{"STARTTLS is not offered", func(*server) {}, func(*sender.Config) {}, ""},
		{"nobody vouches for the certificate", func(s *server) { s.startTLS = true }, func(c *sender.Config) { c.TLS = nil }, ""},
		{"nobody vouches for the certificate of TLS", func(s *server) { s.fromTLS = true },
			func(c *sender.Config) { c.TLS, c.Security = nil, sender.TLS }, ""},
		{"wrong password", func(s *server) { s.startTLS, s.login = true, "home secret" }, signIn, ""},
		{"a password and nobody to take it", func(s *server) { s.startTLS = true }, signIn, ""},
		{"recipient refused", func(s *server) { s.startTLS, s.refuse = true, "RCPT" }, func(*sender.Config) {}, ""},
		{"letter refused", func(s *server) { s.startTLS, s.refuse = true, "DATA" }, func(*sender.Config) {}, ""},
		{"no address", func(s *server) { s.startTLS = true }, func(*sender.Config) {}, "anna"},
		{"two addresses", func(s *server) { s.startTLS = true }, func(*sender.Config) {}, "a@example.org, b@example.org"},
		{"a line feed in the address", func(s *server) { s.startTLS = true }, func(*sender.Config) {}, "a@example.org\r\nBcc: b@example.org"},
		{"nobody to send to", func(s *server) { s.startTLS = true }, func(c *sender.Config) { c.To = "" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, port, pool := newServer(t, tt.server)
			cfg := config(port, pool)
			tt.config(&cfg)
			err := newSender(t, cfg).Send(t.Context(), notify.Message{Text: text, Target: tt.target})
			if err == nil {
				t.Error("it is a success")
			} else if strings.Contains(err.Error(), "123456") || strings.Contains(err.Error(), "hush") {
				t.Errorf("the error holds a secret: %v", err)
			}
			if got := server.letters(); len(got) > 0 {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, port, pool := newServer(t, func(s *server) { s.silent = cancel })
	if err := newSender(t, config(port, pool)).Send(ctx, notify.Message{Text: text}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for name, change := range map[string]func(*sender.Config){
		"no host":                   func(c *sender.Config) { c.Host = "" },
		"no sender":                 func(c *sender.Config) { c.From = "" },
		"unreadable sender":         func(c *sender.Config) { c.From = "home" },
		"unreadable recipient":      func(c *sender.Config) { c.To = "family" },
		"unknown security":          func(c *sender.Config) { c.Security = "ssl3" },
		"port":                      func(c *sender.Config) { c.Port = 70000 },
		"a name without a password": func(c *sender.Config) { c.Username = "home" },
		"a password without a name": func(c *sender.Config) { c.Password = "secret" },
		"a password without encryption": func(c *sender.Config) {
			c.Security, c.Username, c.Password = sender.Plain, "home", "secret"
		},
	} {
		cfg := config(587, nil)
		change(&cfg)
		if _, err := sender.New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := sender.New(sender.Config{Host: "mail.example.org", From: "home@example.org"}); err != nil {
		t.Errorf("the least that is needed: %v", err)
	}
}
