package latchkey_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// BenchmarkBareHMAC is the measure for [BenchmarkValidateAccessToken]: one HMAC-SHA-256 over the signed part of the same
// access token, and nothing else.
func BenchmarkBareHMAC(b *testing.B) {
	h := newHouse(b, latchkey.Options{})
	token := h.token(b, h.person(b, "anna"))
	access, err := h.CreateAccessToken(b.Context(), token.ID, addr)
	if err != nil {
		b.Fatal(err)
	}
	signed, key := []byte(access[:strings.LastIndexByte(access, '.')]), []byte(token.JWTKey.Reveal())
	var sum [sha256.Size]byte
	b.ReportAllocs()
	for b.Loop() {
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		mac.Sum(sum[:0])
	}
}

// BenchmarkValidateAccessToken costs one HMAC and two look-ups in memory. It must stay below three times
// [BenchmarkBareHMAC], and be the same for one token as for 50 000.
func BenchmarkValidateAccessToken(b *testing.B) {
	for _, tokens := range []int{1, 50_000} {
		b.Run(fmt.Sprintf("tokens=%d", tokens), func(b *testing.B) {
			h := newHouse(b, latchkey.Options{})
			access := manyTokens(b, h, tokens)
			for _, a := range access { // warm
				if _, err := h.ValidateAccessToken(b.Context(), a); err != nil {
					b.Fatal(err)
				}
			}
			ctx, i := b.Context(), 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.ValidateAccessToken(ctx, access[i]); err != nil {
					b.Fatal(err)
				}
				if i++; i == len(access) {
					i = 0
				}
			}
		})
	}
}

// manyTokens fills the store with n refresh tokens, ten for each user, and returns up to 1000 access tokens.
func manyTokens(b *testing.B, h house, n int) []string {
	b.Helper()
	ctx := b.Context()
	var last latchkey.RefreshToken
	var sample []string
	err := h.store.Update(ctx, func(tx latchkey.Tx) error {
		sample = nil
		var u latchkey.User
		for i := range n {
			if i%10 == 0 {
				u = latchkey.User{ID: latchkey.NewID(), IsActive: true}
				if err := tx.InsertUser(ctx, u); err != nil {
					return err
				}
			}
			last = latchkey.RefreshToken{
				ID: latchkey.NewID(), UserID: u.ID, Type: latchkey.TokenNormal, ClientID: latchkey.Text(client),
				AccessTokenExpiration: latchkey.AccessTokenExpiration, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(),
			}
			if err := tx.InsertRefreshToken(ctx, last); err != nil {
				return err
			}
			if len(sample) < 1000 {
				sample = append(sample, last.ID)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	access := make([]string, len(sample))
	for i, id := range sample {
		if access[i], err = h.CreateAccessToken(ctx, id, netip.Addr{}); err != nil {
			b.Fatal(err)
		}
	}
	return access
}
