package latchkey_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// deed is one operation that the manager acknowledged, as it can be done again elsewhere.
type deed struct {
	what, name string
	group      string
}

// crowd is what many goroutines do to one manager at once, and what they were told.
type crowd struct {
	house
	t    *testing.T
	mu   sync.Mutex
	told map[string][]deed // by the user's name, in the order in which it was told
}

func (c *crowd) note(user string, d deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[user] = append(c.told[user], d)
}

// worker makes users of its own and does random things to them, as other workers do to theirs. Each user belongs to one
// worker, so that the order of what was told is the order of what was done.
func (c *crowd) worker(ctx context.Context, id int, rounds int) {
	random := rand.New(rand.NewPCG(uint64(id), 1))
	name := fmt.Sprintf("user %d", id)
	u, err := c.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text(name), GroupIDs: []string{latchkey.GroupUser}})
	if err != nil {
		c.t.Error(err)
		return
	}
	c.note(name, deed{what: "create"})
	live := map[string]latchkey.RefreshToken{}
	for i := range rounds {
		switch random.IntN(4) {
		case 0:
			c.makeToken(ctx, u, name, fmt.Sprintf("token %d", i), live)
		case 1:
			c.useTokens(ctx, live)
		case 2:
			group := []string{latchkey.GroupUser, latchkey.GroupReadOnly, latchkey.GroupAdmin}[random.IntN(3)]
			if _, err := c.UpdateUser(ctx, u.ID, latchkey.UserUpdate{GroupIDs: &[]string{group}}); err != nil {
				c.t.Error(err)
				return
			}
			c.note(name, deed{what: "group", group: group})
		case 3:
			c.revokeOne(ctx, name, live)
		}
	}
}

func (c *crowd) makeToken(ctx context.Context, u latchkey.User, user, name string, live map[string]latchkey.RefreshToken) {
	token, err := c.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: u.ID, ClientName: latchkey.Text(name), Type: latchkey.TokenLongLived,
	})
	if err != nil {
		c.t.Error(err)
		return
	}
	live[name] = token
	c.note(user, deed{what: "token", name: name})
}

// useTokens checks that what was acknowledged is true at once.
func (c *crowd) useTokens(ctx context.Context, live map[string]latchkey.RefreshToken) {
	for _, token := range live {
		access, err := c.CreateAccessToken(ctx, token.ID, addr)
		if err != nil {
			c.t.Error(err)
			return
		}
		if s, err := c.ValidateAccessToken(ctx, access); err != nil || s.Token.ID != token.ID {
			c.t.Errorf("a token that was just made is refused: %v", err)
		}
		return
	}
}

func (c *crowd) revokeOne(ctx context.Context, user string, live map[string]latchkey.RefreshToken) {
	for name, token := range live {
		access, err := c.CreateAccessToken(ctx, token.ID, addr)
		if err != nil {
			c.t.Error(err)
		}
		if err := c.RemoveRefreshToken(ctx, token.ID); err != nil {
			c.t.Error(err)
		}
		if _, err := c.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
			c.t.Errorf("a revoked token is accepted: %v", err)
		}
		delete(live, name)
		c.note(user, deed{what: "revoke", name: name})
		return
	}
}

// state is what is left of all that, by the users' names.
func (h house) state(t *testing.T) map[string][]string {
	t.Helper()
	state := map[string][]string{}
	for _, u := range h.users(t) {
		lines := append([]string{}, u.GroupIDs...)
		tokens, err := h.RefreshTokens(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			lines = append(lines, token.ClientName)
		}
		state[u.Name.Text] = lines
	}
	return state
}

// replay does the acknowledged operations one after another in another house.
func replay(t *testing.T, told map[string][]deed) house {
	t.Helper()
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	for name, deeds := range told {
		var u latchkey.User
		tokens := map[string]string{}
		for _, d := range deeds {
			var err error
			switch d.what {
			case "create":
				u, err = h.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text(name), GroupIDs: []string{latchkey.GroupUser}})
			case "group":
				_, err = h.UpdateUser(ctx, u.ID, latchkey.UserUpdate{GroupIDs: &[]string{d.group}})
			case "token":
				var token latchkey.RefreshToken
				token, err = h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
					UserID: u.ID, ClientName: latchkey.Text(d.name), Type: latchkey.TokenLongLived,
				})
				tokens[d.name] = token.ID
			case "revoke":
				err = h.RemoveRefreshToken(ctx, tokens[d.name])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

// Sixty-four goroutines over one manager leave the state that their acknowledged operations leave one after another.
func TestCrowdEqualsReplay(t *testing.T) {
	c := &crowd{house: newHouse(t, latchkey.Options{}), t: t, told: map[string][]deed{}}
	c.person(t, "owner") // so that which worker comes first makes no difference
	var all sync.WaitGroup
	for id := range 64 {
		all.Go(func() { c.worker(t.Context(), id, 12) })
	}
	all.Wait()
	after := c.state(t)
	delete(after, "owner")
	if d := cmp.Diff(replay(t, c.told).state(t), after); d != "" {
		t.Error("(-replayed +crowd):", d)
	}
}

// Of many who want to be the first, one becomes the owner.
func TestOneOwner(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if _, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text(fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	owners := 0
	for _, u := range h.users(t) {
		if u.IsOwner {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
}
