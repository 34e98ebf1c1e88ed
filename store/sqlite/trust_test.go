package sqlite_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// eventually waits until something is so, and returns how long that took.
func eventually(t testing.TB, what string, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("never: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
	return time.Since(began)
}

// remembered is a manager with an access token in its memory, over one of two stores on one file.
func remembered(t *testing.T) (m *latchkey.Manager, s *sqlite.Store, access, tokenID, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "latchkey.db")
	s = open(t, path)
	m, err := latchkey.New(s, latchkey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	u, err := m.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text("https://app.example/")})
	if err != nil {
		t.Fatal(err)
	}
	if access, err = m.CreateAccessToken(t.Context(), n.ID, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ValidateAccessToken(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	return m, s, access, n.ID, path
}

// spec: security.md 20, 21: a process that cannot follow what others do to the file takes nothing from memory
func TestAFileThatCannotBeFollowed(t *testing.T) {
	m, s, access, tokenID, path := remembered(t)
	closed := make(chan struct{})
	t.Cleanup(m.OnRevoke(tokenID, func() { close(closed) }))
	if !s.Current() {
		t.Error("a store that follows is not current")
	}
	execute(t, path, `ALTER TABLE changes RENAME TO hidden`)
	eventually(t, "memory is not trusted", func() bool { return !s.Current() })
	execute(t, path, `DELETE FROM refresh_tokens WHERE id = '`+tokenID+`'`)
	if _, err := m.ValidateAccessToken(t.Context(), access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
		t.Errorf("a revoked token is accepted: %v", err)
	}
	select { // who waits for the end is told although the file cannot be followed yet
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Error("who waits for the end of the token is not told")
	}
	execute(t, path, `ALTER TABLE hidden RENAME TO changes`)
	eventually(t, "memory is trusted again", s.Current)
}

// A process that is held up for longer than a second does not know that others have changed something, and does not claim
// to.
func TestAPollThatIsStuck(t *testing.T) {
	m, s, access, tokenID, path := remembered(t)
	other := open(t, path)
	stuck, unstick := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(unstick) })
	t.Cleanup(release)
	t.Cleanup(s.Watch(func(changes []latchkey.Change) {
		if changes[0].ID == "stop" {
			close(stuck)
			<-unstick
		}
	}))
	err := other.Update(t.Context(), func(tx latchkey.Tx) error {
		tx.Announce(latchkey.Change{Kind: latchkey.EventUserAdded, ID: "stop"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-stuck
	if err := other.Update(t.Context(), func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(t.Context(), tokenID) }); err != nil {
		t.Fatal(err)
	}
	waited := eventually(t, "the revoked token is refused", func() bool {
		_, err := m.ValidateAccessToken(t.Context(), access)
		return errors.Is(err, latchkey.ErrInvalidAccessToken)
	})
	if waited > 2*time.Second {
		t.Errorf("a revoked token was accepted for %v", waited)
	}
	if s.Current() {
		t.Error("the store claims to follow")
	}
	release()
	eventually(t, "the store follows again", s.Current)
}

// BenchmarkCurrent is asked for each look-up in memory.
func BenchmarkCurrent(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "latchkey.db"))
	for b.Loop() {
		s.Current()
	}
}
