package transfer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// A copy deletes nobody and nothing of anybody. What was taken away here since an earlier one is good there, and that is said.
func TestWhatOnlyTheOtherStoreHasIsSaid(t *testing.T) {
	from, to := outspoken{twoPeople(t), map[string]latchkey.Secret{"s": latchkey.NewSecret()}}, open(t)
	elsewhere := latchkey.Credentials{ID: "c-elsewhere", UserID: "u-anna", Provider: latchkey.ProviderKey{Type: "elsewhere"}}
	token := func(id string, kind latchkey.TokenType) latchkey.RefreshToken {
		return latchkey.RefreshToken{ID: id, UserID: "u-anna", Type: kind, ClientName: id, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret()}
	}
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.InsertRefreshToken(ctx, token("s", latchkey.TokenNormal)), tx.InsertRefreshToken(ctx, token("t", latchkey.TokenLongLived)),
			tx.InsertGroup(ctx, latchkey.Group{ID: "g"}), tx.InsertCredentials(ctx, elsewhere), tx.PutModuleData(ctx, "totp", "u-anna", []byte("{}")))
	})
	copied(t, from, to)
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.DeleteRefreshToken(ctx, "s"), tx.DeleteRefreshToken(ctx, "t"), tx.DeleteUser(ctx, "u-ben"),
			tx.DeleteGroup(ctx, "g"), tx.DeleteCredentials(ctx, elsewhere.ID), tx.DeleteModuleData(ctx, "totp", "u-anna"))
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
	want := map[string]string{
		"user": "u-ben", "session": "s", "token": "t", "group": "g", "credentials": elsewhere.ID, "second factor": "totp",
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
	if _, err := to.RefreshToken(t.Context(), "t"); err != nil {
		t.Errorf("the token that only the other store has: %v", err)
	}
}
