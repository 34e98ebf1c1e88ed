package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const anna = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	err = store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.InsertUser(t.Context(), latchkey.User{ID: anna, Name: latchkey.Text("Anna"), IsActive: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// post is a notifier that keeps what it is given.
type post struct {
	services []string
	fails    error
	hangs    bool // until ctx ends

	mu    sync.Mutex
	inbox []delivery
}

type delivery struct {
	Service string
	notify.Message
}

func (p *post) Services(context.Context) []string { return p.services }

func (p *post) Notify(ctx context.Context, service string, m notify.Message) error {
	if p.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inbox = append(p.inbox, delivery{service, m})
	return p.fails
}

// next waits until all messages are delivered and takes the one that there should be.
func (p *post) next(t *testing.T) delivery {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inbox) != 1 {
		t.Fatalf("%d messages, want one: %v", len(p.inbox), p.inbox)
	}
	d := p.inbox[0]
	p.inbox = nil
	return d
}

func (d delivery) code(t *testing.T) string {
	t.Helper()
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(d.Text)
	if code == "" {
		t.Fatalf("no code in %q", d.Text)
	}
	return code
}

func newModule(t *testing.T, store notify.Store, p notify.Notifier, cfg notify.Config) *notify.Module {
	t.Helper()
	m, err := notify.New(store, p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// choose sets the module up for anna.
func choose(t *testing.T, m *notify.Module, data map[string]any) {
	t.Helper()
	if got, err := m.SetUp(t.Context(), anna, data); err != nil || got != nil {
		t.Fatalf("SetUp = %v, %v", got, err)
	}
}

func challenge(t *testing.T, m *notify.Module) json.RawMessage {
	t.Helper()
	c, err := m.Challenge(t.Context(), anna)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func verify(t *testing.T, m *notify.Module, challenge json.RawMessage, code string) bool {
	t.Helper()
	ok, err := m.Verify(t.Context(), anna, challenge, flow.Input{"code": code})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// spec: mfa.md §1 and §2
func TestModuleIsNamedByItsConfiguration(t *testing.T) {
	store := newStore(t)
	for _, tt := range []struct {
		cfg      notify.Config
		id, name string
	}{
		{notify.Config{}, "notify", "Notify One-Time Password"},
		{notify.Config{ID: "sms", Name: "Text message"}, "sms", "Text message"},
	} {
		m := newModule(t, store, &post{}, tt.cfg)
		if m.ID() != tt.id || m.Name() != tt.name || m.MaxRetries() != 3 {
			t.Errorf("%+v: id %q, name %q, retries %d", tt.cfg, m.ID(), m.Name(), m.MaxRetries())
		}
	}
	if _, err := notify.New(store, nil, notify.Config{}); err == nil {
		t.Error("a module without a notifier is made")
	}
	if _, err := notify.New(nil, &post{}, notify.Config{}); err == nil {
		t.Error("a module without a store is made")
	}
	if _, err := notify.New(store, &post{}, notify.Config{Message: "no code"}); err == nil {
		t.Error("a message without the code is accepted")
	}
}

// spec: mfa.md §5, "Codes", "Sending"; security.md 15
func TestEachLoginHasItsOwnCode(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		p := &post{services: []string{"phone"}}
		m := newModule(t, store, p, notify.Config{Message: "use {}"})
		choose(t, m, map[string]any{"notify_service": "phone", "target": "anna@example.org", "secret": "X", "counter": 1})
		one := challenge(t, m)
		sent := p.next(t)
		code := sent.code(t)
		if d := cmp.Diff(delivery{"phone", notify.Message{Text: "use " + code, Target: "anna@example.org"}}, sent); d != "" {
			t.Error("message (-want +got):", d)
		}
		if strings.Contains(string(one), code) {
			t.Errorf("the challenge holds its code: %s", one)
		}
		two := challenge(t, m)
		other := p.next(t).code(t)
		if string(one) == string(two) {
			t.Error("two challenges are equal")
		}
		// The code stays right, and a wrong one wrong and unanswered by a new message, until the next challenge.
		for _, wrong := range []string{"", "wrong", " " + code, other} {
			if verify(t, m, one, wrong) {
				t.Errorf("%q is accepted", wrong)
			}
		}
		for range 2 {
			if !verify(t, m, one, code) || !verify(t, m, two, other) {
				t.Error("a right code is refused")
			}
		}
		if ok, err := m.Verify(t.Context(), anna, two, flow.Input{}); ok || err != nil {
			t.Errorf("no code: %v, %v", ok, err)
		}
		if verify(t, m, nil, code) {
			t.Error("a code is right without a challenge")
		}
		if len(p.inbox) != 0 {
			t.Errorf("checking codes sent %v", p.inbox)
		}
	})
}

// spec: mfa.md §5, "unknown user", "A missing service"
func TestChallengesThatCannotBeMade(t *testing.T) {
	store := newStore(t)
	p := &post{services: []string{"phone"}}
	m := newModule(t, store, p, notify.Config{})
	_, err := m.Challenge(t.Context(), anna)
	if !errors.Is(err, latchkey.ErrValue) || err.Error() != "Cannot find user_id" {
		t.Errorf("a user who has not set it up: %v", err)
	}
	if verify(t, m, json.RawMessage(`{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","counter":0}`), "702218") {
		t.Error("a user who has not set it up signs in")
	}
	for _, data := range []map[string]any{nil, {"notify_service": "gone"}, {"notify_service": 5}} {
		choose(t, m, data)
		if _, err := m.Challenge(t.Context(), anna); !errors.Is(err, notify.ErrNoService) {
			t.Errorf("%v: %v", data, err)
		}
	}
	if ok, err := m.Verify(t.Context(), anna, json.RawMessage(`{`), flow.Input{"code": "1"}); ok || err == nil {
		t.Errorf("a damaged challenge: %v, %v", ok, err)
	}
}

// spec: mfa.md §5, HOTP values: the challenge is counted as RFC 4226 counts
func TestChallengeOfTheStandard(t *testing.T) {
	m := newModule(t, newStore(t), &post{}, notify.Config{})
	choose(t, m, nil)
	for counter, code := range map[string]string{"0": "702218", "1": "503347", "9": "595232", "1099511627776": "818783"} {
		if !verify(t, m, json.RawMessage(`{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","counter":`+counter+`}`), code) {
			t.Errorf("counter %s: %s is refused", counter, code)
		}
	}
}

// spec: mfa.md §5, "the call is not waited for"
func TestNobodyWaitsForTheMessage(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &post{services: []string{"slow"}, hangs: true}
		m := newModule(t, store, p, notify.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		choose(t, m, map[string]any{"notify_service": "slow"})
		challenge(t, m) // returns though the service hangs
		time.Sleep(notify.SendTimeout)
		synctest.Wait()
		if !strings.Contains(log.String(), "could not be delivered") || !strings.Contains(log.String(), "service=slow") {
			t.Errorf("log = %q", log.String())
		}
		if regexp.MustCompile(`\b\d{6}\b`).MatchString(log.String()) {
			t.Errorf("the log holds the code: %q", log.String())
		}
		var refused error
		for n := 0; refused == nil && n < 1000; n++ {
			_, refused = m.Challenge(t.Context(), anna)
		}
		if refused == nil {
			t.Error("a service that hangs gets any number of messages at a time")
		}
		m.Close() // ends those that are under way
		if _, err := m.Challenge(t.Context(), anna); err == nil {
			t.Error("a closed module sends")
		}
	})
}

// spec: security.md 14: counted by user, not by login
func TestWrongCodesSlowAUserDown(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		p := &post{services: []string{"phone"}}
		m := newModule(t, store, p, notify.Config{})
		choose(t, m, map[string]any{"notify_service": "phone"})
		var asked json.RawMessage
		var code string
		for i := range 10 {
			if i%3 == 0 { // a login ends after three wrong codes
				asked = challenge(t, m)
				code = p.next(t).code(t)
			}
			verify(t, m, asked, "wrong")
		}
		if verify(t, m, asked, code) {
			t.Error("an answer was looked at during the delay")
		}
		if _, err := m.Challenge(t.Context(), anna); !errors.Is(err, notify.ErrDelayed) {
			t.Errorf("a code is sent during the delay: %v", err)
		}
		time.Sleep(30 * time.Second)
		if !verify(t, m, asked, code) {
			t.Error("the right code is refused after the delay")
		}
	})
}

// spec: storage.md §5: what is stored, and that it is neither secret nor counter
func TestWhatIsStored(t *testing.T) {
	store := newStore(t)
	m := newModule(t, store, &post{services: []string{"smtp_family"}}, notify.Config{})
	for _, tt := range []struct {
		data map[string]any
		want string
	}{
		{map[string]any{"notify_service": "smtp_family", "target": "ada@example.org", "secret": "S", "counter": 7},
			`{"notify_service":"smtp_family","target":"ada@example.org"}`},
		{map[string]any{"notify_service": "smtp_family"}, `{"notify_service":"smtp_family","target":null}`},
		{map[string]any{"notify_service": "smtp_family", "target": ""}, `{"notify_service":"smtp_family","target":""}`},
		{nil, `{"notify_service":null,"target":null}`},
	} {
		choose(t, m, tt.data)
		if got, err := store.ModuleData(t.Context(), "notify", anna); err != nil || string(got) != tt.want {
			t.Errorf("%v is stored as %s, %v; want %s", tt.data, got, err, tt.want)
		}
	}
	for range 2 { // also when there is nothing to depose
		if err := m.Depose(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		if ok, err := m.IsSetUp(t.Context(), anna); ok || err != nil {
			t.Errorf("still set up: %v, %v", ok, err)
		}
	}
	if _, err := m.SetUp(t.Context(), "nobody", nil); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("set up for nobody: %v", err)
	}
}

// sender is a function as a Sender.
type sender func(context.Context, notify.Message) error

func (s sender) Send(ctx context.Context, m notify.Message) error { return s(ctx, m) }

func TestSendersAreServices(t *testing.T) {
	var got notify.Message
	failed := errors.New("failed")
	senders := notify.Senders{
		"b": sender(func(_ context.Context, m notify.Message) error { got = m; return nil }),
		"a": sender(func(context.Context, notify.Message) error { return failed }),
	}
	if names := senders.Services(t.Context()); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("services %v", names)
	}
	m := notify.Message{Text: "hello", Target: "x"}
	if err := senders.Notify(t.Context(), "b", m); err != nil || got != m {
		t.Errorf("sent %v, %v", got, err)
	}
	if err := senders.Notify(t.Context(), "a", m); !errors.Is(err, failed) {
		t.Errorf("error = %v", err)
	}
	if err := senders.Notify(t.Context(), "c", m); !errors.Is(err, notify.ErrNoService) {
		t.Errorf("unknown service: %v", err)
	}
}
