// Package webhook sends messages of the notify module by HTTP, for example to ntfy or to a program of one's own. It knows
// one address, and no users.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey/mfa/notify"
)

// Format is the form of the request's body.
type Format string

const (
	// JSON is {"message": text}, and "target": [target] when there is one: what Home Assistant calls its services with.
	JSON Format = "json"
	// Text is the text alone, as ntfy takes it. There is no place for a target in it.
	Text Format = "text"
)

// DefaultTimeout is how long a request may take unless it is configured otherwise.
const DefaultTimeout = 10 * time.Second

const maxRedirects = 3

// Config sets a sender up.
type Config struct {
	// URL is what the messages are posted to. Use https beyond the own machine: the message is a login code.
	URL string
	// Format is the form of the body; [JSON] if empty.
	Format Format
	// Header is sent with each request, for example an Authorization.
	Header http.Header
	// Timeout is how long a request may take; [DefaultTimeout] if zero.
	Timeout time.Duration
}

// Sender posts messages to one address.
type Sender struct {
	url    string
	format Format
	header http.Header
	client *http.Client
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender. What is wrong with the configuration is refused.
func New(cfg Config) (*Sender, error) {
	if cfg.Format == "" {
		cfg.Format = JSON
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil: // without the error itself, which repeats the address, which may hold a secret
		return nil, errors.New("webhook: the url cannot be read: write one such as https://ntfy.example/topic")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("webhook: the url is not one of http or https: write one such as https://ntfy.example/topic")
	case cfg.Format != JSON && cfg.Format != Text:
		return nil, fmt.Errorf("webhook: format %q: write %s or %s", cfg.Format, JSON, Text)
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("webhook: timeout %v: write a duration such as 10s", cfg.Timeout)
	}
	return &Sender{
		url: cfg.URL, format: cfg.Format, header: cfg.Header.Clone(),
		client: &http.Client{Timeout: cfg.Timeout, CheckRedirect: sameHost},
	}, nil
}

// sameHost follows a redirect that keeps the request as it is, body included, and stays where it was sent. Any other is
// taken for the answer, which is not a success.
func sameHost(r *http.Request, via []*http.Request) error {
	kept := r.Response.StatusCode == http.StatusTemporaryRedirect || r.Response.StatusCode == http.StatusPermanentRedirect
	if !kept || r.URL.Scheme != via[0].URL.Scheme || r.URL.Host != via[0].URL.Host || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// Send implements [notify.Sender]. Every answer but a success is an error.
func (s *Sender) Send(ctx context.Context, m notify.Message) error {
	body, contentType, err := s.body(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook: %w", withoutURL(err))
	}
	req.Header.Set("Content-Type", contentType)
	for name, values := range s.header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("webhook: %w", withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // what is read to its end leaves the connection usable
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("webhook: %s answered %s", req.URL.Hostname(), answer.Status)
	}
	return nil
}

func (s *Sender) body(m notify.Message) (body []byte, contentType string, err error) {
	if s.format == Text {
		if m.Target != "" {
			return nil, "", errors.New("webhook: a plain text has no place for a target: leave it empty in the set-up, or use format json")
		}
		return []byte(m.Text), "text/plain; charset=utf-8", nil
	}
	content := struct {
		Message string   `json:"message"`
		Target  []string `json:"target,omitempty"`
	}{Message: m.Text}
	if m.Target != "" {
		content.Target = []string{m.Target}
	}
	body, err = json.Marshal(content)
	return body, "application/json", err
}

// withoutURL takes the address out of an error of package net/http: it may hold a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", strings.ToLower(u.Op), u.Err)
	}
	return err
}
