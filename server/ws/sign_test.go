package ws_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// notary notes what it is asked to sign.
type notary struct {
	mu      sync.Mutex
	token   string
	expires time.Duration
	err     error
}

func (n *notary) Sign(path string, token latchkey.RefreshToken, expires time.Duration) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.token, n.expires = token.ID, expires
	return path + "?authSig=<x>&", n.err
}

func (n *notary) asked() (token string, expires time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.token, n.expires
}

func (n *notary) refuse(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// spec: websocket.md §5.7; http-auth.md, "S-3"
func TestSignPath(t *testing.T) {
	n := &notary{}
	h := newHouse(t, houseOptions{ws: ws.Options{Signer: n}})
	ben := h.person(t, "ben", latchkey.GroupReadOnly)
	token := h.refreshToken(t, ben)
	c, id := h.connectWith(t, h.accessToken(t, token)), 0
	message := func(fields string) string {
		id++
		return `{"id":` + number(id) + `,"type":"auth/sign_path"` + fields + `}`
	}
	const longest = math.MaxInt64 / time.Second * time.Second
	for fields, want := range map[string]time.Duration{
		``:                          30 * time.Second,
		`,"expires":0`:              0,
		`,"expires":-5`:             -5 * time.Second,
		`,"expires":3600`:           time.Hour,
		`,"expires":true`:           time.Second,
		`,"expires":9000000000`:     9e9 * time.Second,
		`,"expires":1000000000000`:  longest,
		`,"expires":-1000000000000`: -longest,
	} {
		c.ask(message(`,"path":"/api/x"`+fields),
			`{"id":`+number(id)+`,"type":"result","success":true,"result":{"path":"/api/x?authSig=<x>&"}}`)
		if on, expires := n.asked(); expires != want || on != token.ID {
			t.Errorf("%s: signed for %v on behalf of %s", fields, expires, on)
		}
	}
	for _, seconds := range []string{"1000000000001", "-1000000000001", "9223372036854775807", "18446744073709551615", "-9223372036854775808"} {
		c.refused(message(`,"path":"/api/x","expires":`+seconds), "unknown_error", "Unknown error")
	}
	for _, fields := range []string{``, `,"path":5`, `,"path":null`, `,"path":"/x","expires":"30"`, `,"path":"/x","expires":1.5`, `,"path":"/x","expires":null`, `,"path":"/x","x":1`} {
		c.refused(message(fields), "invalid_format", "")
	}
	n.refuse(&latchkey.Error{Kind: latchkey.ErrValue, Text: "Path cannot be signed: it is odd"})
	c.refused(message(`,"path":"/x"`), "invalid_format", "Path cannot be signed: it is odd")
	n.refuse(errors.New("secret detail"))
	c.refused(message(`,"path":"/x"`), "unknown_error", "Unknown error")
}

// Where nobody can check a signature, nothing is signed.
func TestSignPathNeedsASigner(t *testing.T) {
	h := newHouse(t, houseOptions{})
	h.connect(t, h.anna).refused(`{"id":1,"type":"auth/sign_path","path":"/x"}`, "unknown_command", "Unknown command.")
}
