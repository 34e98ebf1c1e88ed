package transfer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// A copy deletes nobody and no session. What was revoked here since an earlier one is good there, and that is said.
func TestWhatOnlyTheOtherStoreHasIsSaid(t *testing.T) {
	from, to := outspoken{twoPeople(t), map[string]latchkey.Secret{"s": latchkey.NewSecret()}}, open(t)
	token := func(id string, kind latchkey.TokenType) latchkey.RefreshToken {
		return latchkey.RefreshToken{ID: id, UserID: "u-anna", Type: kind, ClientName: id, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret()}
	}
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.InsertRefreshToken(ctx, token("s", latchkey.TokenNormal)), tx.InsertRefreshToken(ctx, token("t", latchkey.TokenLongLived)))
	})
	copied(t, from, to)
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.DeleteRefreshToken(ctx, "s"), tx.DeleteRefreshToken(ctx, "t"), tx.DeleteUser(ctx, "u-ben"))
	})
	items, err := transfer.Plan(t.Context(), from, to, options())
	if err != nil {
		t.Fatal(err)
	}
	if transfer.Changes(items) {
		t.Errorf("that changes something:\n%s", lines(items))
	}
	kept := map[string]string{}
	for _, item := range items {
		if item.Action == transfer.Keep {
			kept[item.Kind] = item.ID
		}
	}
	if len(kept) != 3 || kept["user"] != "u-ben" || kept["session"] != "s" || kept["token"] != "t" {
		t.Errorf("kept is %v", kept)
	}
	if _, err := to.RefreshToken(t.Context(), "t"); err != nil {
		t.Errorf("the token that only the other store has: %v", err)
	}
}
