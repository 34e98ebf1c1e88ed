// Package bench makes stores of any size and measures what it costs to find something in them. It uses stores as everybody
// does, by their interface.
package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// Size is how large a seeded store is.
type Size struct {
	// Users is how many users there are, each with credentials and a password record.
	Users int
	// TokensEach is how many refresh tokens each user has.
	TokensEach int
}

const (
	// perTransaction is how many users are written at once: the more, the fewer pages of an index are written again and
	// again.
	perTransaction = 20_000
	// perBatch is how many of them are held in memory.
	perBatch = 1000
)

// batcher is a transaction of a store that takes much at once.
type batcher interface {
	InsertBatch(context.Context, []latchkey.User, []latchkey.Password, []latchkey.RefreshToken) error
}

// Seed fills an empty store. The ids are known from their numbers (see [UserID] and [TokenID]), so that they can be looked
// up without keeping a list. progress is told now and then how many users there are; it may be nil.
func Seed(ctx context.Context, store latchkey.Store, size Size, progress func(users int)) error {
	for first := 0; first < size.Users; first += perTransaction {
		last := min(first+perTransaction, size.Users)
		err := store.Update(ctx, func(tx latchkey.Tx) error {
			for n := first; n < last; n += perBatch {
				if err := seedUsers(ctx, tx, n, min(n+perBatch, last), size.TokensEach); err != nil {
					return err
				}
				if progress != nil {
					progress(min(n+perBatch, last))
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("users %d to %d: %w", first, last-1, err)
		}
	}
	return nil
}

// seedUsers writes those from first to last, not included, each with everything that belongs to it.
func seedUsers(ctx context.Context, tx latchkey.Tx, first, last, tokensEach int) error {
	var users []latchkey.User
	var passwords []latchkey.Password
	var tokens []latchkey.RefreshToken
	for n := first; n < last; n++ {
		u := user(n)
		users = append(users, u)
		// No password fits: whoever could sign in to a store like this one would own nothing, but might think so.
		passwords = append(passwords, latchkey.Password{Username: Username(n), Hash: "$2b$12$seeded"})
		for i := range tokensEach {
			tokens = append(tokens, token(u, n, i))
		}
	}
	if b, ok := tx.(batcher); ok {
		return b.InsertBatch(ctx, users, passwords, tokens)
	}
	for _, u := range users {
		if err := tx.InsertUser(ctx, u); err != nil {
			return err
		}
	}
	for _, p := range passwords {
		if err := tx.InsertPassword(ctx, p); err != nil {
			return err
		}
	}
	for _, t := range tokens {
		if err := tx.InsertRefreshToken(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// UserID is the id of the n-th user.
func UserID(n int) string { return spread(0xa, n) }

// CredentialsID is the id of the credentials of the n-th user.
func CredentialsID(n int) string { return spread(0xc, n) }

// TokenID is the id of the i-th token of the n-th user.
func TokenID(n, i int) string { return spread(0xb+uint64(i)<<4, n) }

// TokenSecret is the secret of that token. It is no secret at all: such a store is for measuring only.
func TokenSecret(n, i int) latchkey.Secret {
	id := TokenID(n, i)
	return latchkey.Secret(id + id + id + id)
}

// Username is what the n-th user signs in with.
func Username(n int) string { return fmt.Sprintf("user%d", n) }

// spread makes ids that lie all over an index, as random ones do.
func spread(kind uint64, n int) string {
	x := uint64(n)*0x9e3779b97f4a7c15 + kind*0xbf58476d1ce4e5b9
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x^x>>31)
	binary.BigEndian.PutUint64(b[8:], uint64(n)<<8|kind&0xff)
	return fmt.Sprintf("%x", b)
}

// user is the n-th one. The first owns the house.
func user(n int) latchkey.User {
	id, name := UserID(n), Username(n)
	return latchkey.User{
		ID: id, Name: latchkey.Text(name), IsOwner: n == 0, IsActive: true, GroupIDs: []string{latchkey.GroupUser},
		Credentials: []latchkey.Credentials{{
			ID: CredentialsID(n), UserID: id, Provider: latchkey.ProviderKey{Type: "homeassistant"},
			Data: map[string]any{"username": name},
		}},
	}
}

// token is the i-th one of the n-th user.
func token(u latchkey.User, n, i int) latchkey.RefreshToken {
	return latchkey.RefreshToken{
		ID: TokenID(n, i), UserID: u.ID, ClientID: latchkey.Text("https://app.example/"), Type: latchkey.TokenNormal,
		AccessTokenExpiration: latchkey.AccessTokenExpiration, CreatedAt: time.Now(), Secret: TokenSecret(n, i),
		JWTKey: TokenSecret(n, i), ExpireAt: time.Now().Add(latchkey.RefreshTokenExpiration),
		CredentialID: u.Credentials[0].ID, Version: latchkey.Version,
	}
}
