package config

import (
	"fmt"
	"net/http"
	netmail "net/mail"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/notify/mail"
	"github.com/seed-6a977b3d/latchkey/mfa/notify/webhook"
)

// NotifyService is a way to send messages, with the name that people choose it by.
type NotifyService struct {
	Name string
	By   SenderConfig
}

// SenderConfig describes how messages travel: [Mail], [Webhook] or one of your own.
type SenderConfig interface {
	// Build makes the sender. It does not connect.
	Build() (notify.Sender, error)
}

// The senders that there are. Each is the configuration of its package.
type (
	Mail    mail.Config
	Webhook webhook.Config
)

// Build implements [SenderConfig].
func (c Mail) Build() (notify.Sender, error) { return mail.New(mail.Config(c)) }

// Build implements [SenderConfig].
func (c Webhook) Build() (notify.Sender, error) { return webhook.New(webhook.Config(c)) }

// String hides the configuration: address and headers may hold a secret.
func (Webhook) String() string { return "webhook [secret]" }

// GoString hides the configuration like String.
func (c Webhook) GoString() string { return c.String() }

// senderKinds is the registry: a way to send is added to the file by a line here. The types are Home Assistant's
// platforms of notify, where it has them.
func senderKinds() []kind[SenderConfig] {
	return []kind[SenderConfig]{
		{"smtp", readMail},
		{"webhook", readWebhook},
	}
}

// readNotify reads the services that the module notify can send by.
func readNotify(c *Config, n node) error {
	entries, err := n.list()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range entries {
		o := newOptions(e, "platform")
		kind, err := find(o, senderKinds(), "platform", "notify service")
		if err != nil {
			return err
		}
		s := NotifyService{Name: o.text("name", true), By: kind.read(o)}
		if err := o.done(); err != nil {
			return err
		}
		if seen[s.Name] {
			return e.errorf("another service has the same name: people could not tell them apart")
		}
		seen[s.Name] = true
		if err := o.try(func(Parts) (any, error) { return s.By.Build() }); err != nil {
			return err
		}
		c.Notify = append(c.Notify, s)
	}
	return nil
}

// readMail knows the options of Home Assistant's platform smtp, but for those that change how the server is trusted.
func readMail(o *options) SenderConfig {
	c := Mail{
		Host: o.text("server", true), Port: o.number("port"), Username: o.text("username", false),
		Password: latchkey.Secret(o.text("password", false)), Subject: o.text("subject", false),
	}
	if n, ok := o.take("encryption"); ok {
		c.Security = parsed(o, n, parseEncryption)
	}
	sender, name := o.text("sender", true), o.text("sender_name", false)
	if c.From = sender; name != "" {
		c.From = (&netmail.Address{Name: name, Address: sender}).String()
	}
	switch to := o.texts("recipient"); {
	case len(to) == 1:
		c.To = to[0]
	case len(to) > 1:
		n, _ := o.take("recipient")
		o.fail(n.errorf("a login code goes to one person: make a service for each, or let people write their address when they set it up"))
	}
	return c
}

func parseEncryption(v any) (mail.Security, error) {
	switch v {
	case "starttls":
		return mail.StartTLS, nil
	case "tls":
		return mail.TLS, nil
	case "none":
		return mail.Plain, nil
	}
	return "", fmt.Errorf("%v is no kind of protection: write starttls, tls or none", v)
}

func readWebhook(o *options) SenderConfig {
	c := Webhook{URL: o.text("url", true), Format: webhook.Format(o.text("format", false))}
	if n, ok := o.take("timeout"); ok {
		c.Timeout = parsed(o, n, parseTimeout)
	}
	n, ok := o.take("headers")
	if !ok {
		return c
	}
	headers, err := n.entries()
	if err != nil {
		o.fail(err)
	}
	inner := &options{given: headers, err: err}
	c.Header = http.Header{}
	for _, h := range headers {
		c.Header.Add(h.key, inner.text(h.key, true))
	}
	if inner.err != nil {
		o.fail(inner.err)
	}
	if inner.secret != "" {
		o.secret = inner.secret
	}
	return c
}

// parseTimeout reads seconds, or a duration such as 10s.
func parseTimeout(v any) (time.Duration, error) {
	switch v := v.(type) {
	case int:
		if v > 0 && v <= 3600 {
			return time.Duration(v) * time.Second, nil
		}
	case string:
		if d, err := time.ParseDuration(v); err == nil && d > 0 {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%v is no time: write seconds, or a duration such as 10s", v)
}
