package latchkey_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// Whoever lists all users is not stopped by one that is removed meanwhile.
func TestListingGoesOnWhenAUserIsRemoved(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	h.person(t, "owner")
	err := h.store.Update(ctx, func(tx latchkey.Tx) error {
		for range 1100 {
			if err := tx.InsertUser(ctx, latchkey.User{ID: latchkey.NewID(), IsActive: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for u, err := range h.Users(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[u.ID] {
			t.Fatal("a user was seen twice")
		}
		seen[u.ID] = true
		if n := len(seen); n > 1 && (n%500 == 0 || n%499 == 0) { // the last ones of each page
			if err := h.RemoveUser(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(seen) != 1101 {
		t.Errorf("%d users were seen", len(seen))
	}
}

// The rules of the search are those of every store, and proved in package storetest.
func TestUsersAreFoundByNameAndUsername(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	if _, err := h.UpdateUser(ctx, anna.ID, latchkey.UserUpdate{Name: ptr("Mrs. Größe")}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"GRÖSSE": {anna.ID}, "ANN": {anna.ID}, "b": {bob.ID}, bob.ID: {bob.ID}, "": {anna.ID, bob.ID}, "%": nil,
	} {
		var got []string
		users, err := h.FindUsers(ctx, text, "", 10)
		for _, u := range users {
			got = append(got, u.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("search for %q: %v, %v", text, got, err)
		}
	}
	if users, err := h.FindUsers(ctx, "", anna.ID, 1); err != nil || len(users) != 1 || users[0].ID != bob.ID {
		t.Errorf("behind anna: %v, %v", users, err)
	}
	if _, err := h.FindUsers(ctx, "anna", "gone", 1); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("behind nobody: %v", err)
	}
}
