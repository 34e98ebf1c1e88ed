// Package mail sends messages of the notify module by SMTP. It knows servers and addresses, and no users.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
)

// Security is how the connection to the server is protected.
type Security string

const (
	// StartTLS begins in the clear and insists on TLS before anything is said (RFC 3207).
	StartTLS Security = "starttls"
	// TLS begins with TLS (RFC 8314).
	TLS Security = "tls"
	// Plain is not protected at all. It is for a server on the same machine, and knows no password.
	Plain Security = "plain"
)

// DefaultSubject is the subject of a message unless it is configured otherwise.
const DefaultSubject = "Login code"

// Timeout is how long connecting may take, and how long the server may be silent after that.
const Timeout = 10 * time.Second

// Config sets a sender up.
type Config struct {
	// Host is the name of the server.
	Host string
	// Port is the server's port; if zero, 587 for [StartTLS], 465 for [TLS] and 25 for [Plain].
	Port int
	// Security is how the connection is protected; [StartTLS] if empty.
	Security Security
	// TLS changes how the server is verified; nil trusts what the machine trusts.
	TLS *tls.Config
	// Username and Password sign in at the server; both empty for a server that does not ask.
	Username string
	Password latchkey.Secret
	// From is the address that messages come from, such as "Home <home@example.org>".
	From string
	// To is who gets messages without a target; empty if there is nobody.
	To string
	// Subject is the subject of each message; [DefaultSubject] if empty.
	Subject string
}

// Sender sends messages by SMTP. Each is a connection of its own.
type Sender struct {
	cfg Config
	tls *tls.Config
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender. It does not connect; what is wrong with the configuration is refused.
func New(cfg Config) (*Sender, error) {
	if cfg.Security == "" {
		cfg.Security = StartTLS
	}
	ports := map[Security]int{StartTLS: 587, TLS: 465, Plain: 25}
	port, known := ports[cfg.Security]
	switch {
	case cfg.Host == "":
		return nil, errors.New("mail: no host: write the name of the mail server")
	case !known:
		return nil, fmt.Errorf("mail: security %q: write %s, %s or %s", cfg.Security, StartTLS, TLS, Plain)
	case cfg.Port < 0 || cfg.Port > 65535:
		return nil, fmt.Errorf("mail: port %d: write a port between 1 and 65535, or none", cfg.Port)
	case (cfg.Username == "") != (cfg.Password == ""):
		return nil, errors.New("mail: give username and password together, or neither")
	case cfg.Security == Plain && cfg.Password != "":
		return nil, fmt.Errorf("mail: the password would cross the network unprotected: use security %s or %s", StartTLS, TLS)
	}
	if cfg.Port == 0 {
		cfg.Port = port
	}
	if cfg.Subject == "" {
		cfg.Subject = DefaultSubject
	}
	s := &Sender{cfg: cfg, tls: &tls.Config{}}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
	}
	if s.tls.ServerName == "" {
		s.tls.ServerName = cfg.Host
	}
	s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
	// An address that cannot be used is found now and not when somebody waits for a code.
	to := cfg.To
	if to == "" {
		to = cfg.From
	}
	if _, err := s.compose(to, ""); err != nil {
		return nil, err
	}
	return s, nil
}

// Send implements [notify.Sender]. The target is the address to send to, such as anna@example.org.
func (s *Sender) Send(ctx context.Context, m notify.Message) error {
	to := m.Target
	if to == "" {
		to = s.cfg.To
	}
	if to == "" {
		return errors.New("mail: nobody to send to: set up the second factor with an address as its target, or configure one for all")
	}
	msg, err := s.compose(to, m.Text)
	if err != nil {
		return err
	}
	sending, done := context.WithCancel(ctx)
	defer done()
	client, err := s.client(sending)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialAndSendWithContext(sending, msg); err != nil {
		return fmt.Errorf("mail: %w", errors.Join(ctx.Err(), err))
	}
	return nil
}

func (s *Sender) compose(to, text string) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.From(s.cfg.From); err != nil {
		return nil, fmt.Errorf("mail: the sender's address: %w", err)
	}
	if err := msg.To(to); err != nil {
		return nil, fmt.Errorf("mail: the recipient's address: %w", err)
	}
	msg.Subject(s.cfg.Subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(gomail.TypeTextPlain, text)
	return msg, nil
}

// client returns a client for one message, whose connection ends when ctx does.
func (s *Sender) client(ctx context.Context) (*gomail.Client, error) {
	policy := map[Security]gomail.TLSPolicy{StartTLS: gomail.TLSMandatory, TLS: gomail.NoTLS, Plain: gomail.NoTLS}
	dial := func(dialling context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(dialling, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	options := []gomail.Option{
		gomail.WithPort(s.cfg.Port), gomail.WithTimeout(Timeout), gomail.WithTLSConfig(s.tls.Clone()),
		gomail.WithTLSPolicy(policy[s.cfg.Security]), gomail.WithDialContextFunc(dial), gomail.WithoutNoop(),
	}
	if s.cfg.Username != "" {
		options = append(options, gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1,
			gomail.SMTPAuthPlain, gomail.SMTPAuthLogin),
			gomail.WithUsername(s.cfg.Username), gomail.WithPassword(s.cfg.Password.Reveal()))
	}
	return gomail.NewClient(s.cfg.Host, options...)
}

func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.cfg.Security == TLS {
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
