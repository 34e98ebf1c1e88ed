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

// perTransaction is how many users are written at once.
const perTransaction = 1000

// Seed fills an empty store. The ids are known from their numbers (see [UserID] and [TokenID]), so that they can be looked
// up without keeping a list. progress is told now and then how many users there are; it may be nil.
func Seed(ctx context.Context, store latchkey.Store, size Size, progress func(users int)) error {
	for first := 0; first < size.Users; first += perTransaction {
		last := min(first+perTransaction, size.Users)
		err := store.Update(ctx, func(tx latchkey.Tx) error {
			for n := first; n < last; n++ {
				if err := seedUser(ctx, tx, n, size.TokensEach); err != nil {
					return fmt.Errorf("user %d: %w", n, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if progress != nil {
			progress(last)
		}
	}
	return nil
}

// UserID is the id of the n-th user.
func UserID(n int) string { return spread(0xa, n) }

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

func seedUser(ctx context.Context, tx latchkey.Tx, n, tokens int) error {
	id, name := UserID(n), Username(n)
	credentials := latchkey.Credentials{
		ID: spread(0xc, n), UserID: id, Provider: latchkey.ProviderKey{Type: "homeassistant"},
		Data: map[string]any{"username": name},
	}
	u := latchkey.User{
		ID: id, Name: latchkey.Text(name), IsOwner: n == 0, IsActive: true,
		GroupIDs: []string{latchkey.GroupUser}, Credentials: []latchkey.Credentials{credentials},
	}
	if err := tx.InsertUser(ctx, u); err != nil {
		return err
	}
	// No password fits: whoever could sign in to a store like this one would own nothing, but might think so.
	if err := tx.InsertPassword(ctx, latchkey.Password{Username: name, Hash: "$2b$12$seeded"}); err != nil {
		return err
	}
	for i := range tokens {
		err := tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
			ID: TokenID(n, i), UserID: id, ClientID: latchkey.Text("https://app.example/"), Type: latchkey.TokenNormal,
			AccessTokenExpiration: latchkey.AccessTokenExpiration, CreatedAt: time.Now(), Secret: TokenSecret(n, i),
			JWTKey: TokenSecret(n, i), ExpireAt: time.Now().Add(latchkey.RefreshTokenExpiration),
			CredentialID: credentials.ID, Version: latchkey.Version,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
