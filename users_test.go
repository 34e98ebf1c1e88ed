package latchkey_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// spec: manager.md §3, create_user and create_system_user
func TestTheFirstPersonOwnsTheHouse(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{Name: latchkey.Text("Supervisor"), GroupIDs: []string{latchkey.GroupReadOnly}})
	if err != nil {
		t.Fatal(err)
	}
	first := h.person(t, "anna")
	second := h.person(t, "bob", latchkey.GroupUser)
	for _, tt := range []struct {
		u             latchkey.User
		owner, system bool
	}{{system, false, true}, {first, true, false}, {second, false, false}} {
		if tt.u.IsOwner != tt.owner || tt.u.SystemGenerated != tt.system || !tt.u.IsActive {
			t.Errorf("%s: owner %v, system %v, active %v", tt.u.Name, tt.u.IsOwner, tt.u.SystemGenerated, tt.u.IsActive)
		}
	}
	if len(first.GroupIDs) != 0 {
		t.Errorf("groups of a user made without any: %v", first.GroupIDs)
	}
	owner, err := h.Owner(ctx)
	if err != nil || owner.ID != first.ID {
		t.Errorf("Owner = %s, %v", owner.Name, err)
	}
	var ids []string
	for _, u := range h.users(t) {
		ids = append(ids, u.ID)
	}
	if d := cmp.Diff([]string{system.ID, first.ID, second.ID}, ids); d != "" {
		t.Error("users in the order of creation (-want +got):", d)
	}
}

// spec: manager.md §3, "Unknown group"; nothing is created
func TestUnknownGroupMakesNoUser(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	_, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("x"), GroupIDs: []string{"nope"}})
	if !isRefused(err, latchkey.ErrValue, "Invalid group specified nope") {
		t.Errorf("error = %v", err)
	}
	if got := h.users(t); len(got) != 0 {
		t.Errorf("users = %v", got)
	}
	if onboarded, err := h.Onboarded(t.Context()); onboarded || err != nil {
		t.Errorf("Onboarded = %v, %v", onboarded, err)
	}
}

// spec: manager.md §4 update_user
func TestUpdateUserAsAWholeOrNotAtAll(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	owner, bob := h.person(t, "anna"), h.person(t, "bob", latchkey.GroupUser)

	got, err := h.UpdateUser(ctx, bob.ID, latchkey.UserUpdate{
		Name: ptr(""), GroupIDs: ptr([]string{latchkey.GroupReadOnly, latchkey.GroupReadOnly}), LocalOnly: ptr(true),
	})
	if err != nil || got.Name != latchkey.Text("") || !got.LocalOnly || !slices.Equal(got.GroupIDs, []string{latchkey.GroupReadOnly}) {
		t.Errorf("UpdateUser = %+v, %v", got, err)
	}
	if got, err = h.UpdateUser(ctx, bob.ID, latchkey.UserUpdate{GroupIDs: ptr([]string{})}); err != nil || len(got.GroupIDs) != 0 {
		t.Errorf("no groups: %+v, %v", got, err)
	}
	before, _ := h.User(ctx, bob.ID)
	_, err = h.UpdateUser(ctx, bob.ID, latchkey.UserUpdate{Name: ptr("Robert"), GroupIDs: ptr([]string{"nope"})})
	if !errors.Is(err, latchkey.ErrUnknownGroup) || err.Error() != "Invalid group specified." {
		t.Errorf("error = %v", err)
	}
	_, err = h.UpdateUser(ctx, owner.ID, latchkey.UserUpdate{Name: ptr("Ann"), IsActive: ptr(false)})
	if !errors.Is(err, latchkey.ErrOwnerDeactivated) {
		t.Errorf("error = %v", err)
	}
	for _, want := range []latchkey.User{before, owner} {
		if got, err := h.User(ctx, want.ID); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("changed by a refused update: %v %s", err, cmp.Diff(want, got))
		}
	}
	if _, err = h.UpdateUser(ctx, "nobody", latchkey.UserUpdate{}); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("error = %v", err)
	}
}

// spec: security.md 21, W2; manager.md §4
func TestDeactivatingEndsEverything(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	h.person(t, "anna")
	bob := h.person(t, "bob", latchkey.GroupAdmin)
	token := h.token(t, bob)
	access, err := h.CreateAccessToken(ctx, token.ID, addr)
	if err != nil {
		t.Fatal(err)
	}
	revoked := 0
	h.OnRevoke(token.ID, func() { revoked++ })
	if !bob.IsAdmin() {
		t.Error("a member of the administrators is no admin")
	}
	if err := h.DeactivateUser(ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	bob, _ = h.User(ctx, bob.ID)
	if bob.IsActive || bob.IsAdmin() {
		t.Errorf("active %v, admin %v", bob.IsActive, bob.IsAdmin())
	}
	if _, err := h.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
		t.Errorf("access token of a deactivated user: %v", err)
	}
	if revoked != 1 {
		t.Errorf("revoke callback ran %d times", revoked)
	}
	_, err = h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: bob.ID, ClientID: latchkey.Text(client)})
	if !errors.Is(err, latchkey.ErrUserInactive) {
		t.Errorf("new token of a deactivated user: %v", err)
	}
	if err := h.ActivateUser(ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	h.token(t, bob)
}

// spec: manager.md §4 remove_user, remove_credentials; providers.md §3.5; security.md W8
func TestRemovingTakesEverythingAlong(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	h.person(t, "anna")
	bob, carl := h.person(t, "bob"), h.person(t, "carl")
	bobs := h.token(t, bob)
	withLogin, err := h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: carl.ID, ClientID: latchkey.Text(client), Credentials: &carl.Credentials[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	without := h.token(t, carl)

	if err := h.RemoveUser(ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.User(ctx, bob.ID)
	_, tokenErr := h.RefreshToken(ctx, bobs.ID)
	if exists(t, err) || exists(t, tokenErr) {
		t.Error("the removed user or its token exist")
	}
	if err := h.local.ValidateLogin(ctx, "bob", password); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Errorf("the removed user's password: %v", err)
	}
	if err := h.RemoveUser(ctx, bob.ID); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("removing twice: %v", err)
	}

	if err := h.RemoveCredentials(ctx, carl.Credentials[0]); err != nil {
		t.Fatal(err)
	}
	carl, err = h.User(ctx, carl.ID)
	if err != nil || len(carl.Credentials) != 0 {
		t.Errorf("credentials = %v, %v", carl.Credentials, err)
	}
	_, gone := h.RefreshToken(ctx, withLogin.ID)
	_, stays := h.RefreshToken(ctx, without.ID)
	if exists(t, gone) || !exists(t, stays) {
		t.Error("exactly the token that the credentials led to must be gone")
	}
	if err := h.local.ValidateLogin(ctx, "carl", password); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Errorf("the removed login's password: %v", err)
	}
}

// spec: manager.md §4 link_user
func TestLinking(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	fresh := latchkey.NewCredentials(h.local.Key(), map[string]any{"username": "second"})
	if !fresh.IsNew() {
		t.Error("fresh credentials are not new")
	}
	for range 2 { // linking again changes nothing
		if err := h.LinkUser(ctx, anna.ID, fresh); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := h.User(ctx, anna.ID)
	if len(got.Credentials) != 2 || got.Credentials[1].IsNew() || got.Credentials[1].Text("username") != "second" {
		t.Errorf("credentials = %+v", got.Credentials)
	}
	if err := h.LinkUser(ctx, bob.ID, fresh); !errors.Is(err, latchkey.ErrCredentialsLinked) {
		t.Errorf("linking those of another: %v", err)
	}
	holder, err := h.UserByCredentials(ctx, fresh)
	if err != nil || holder.ID != anna.ID {
		t.Errorf("UserByCredentials = %s, %v", holder.Name, err)
	}
	if err := h.UpdateCredentialsData(ctx, fresh, map[string]any{"username": "third"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.User(ctx, anna.ID); got.Credentials[1].Text("username") != "third" {
		t.Errorf("data = %v", got.Credentials[1].Data)
	}
}

// spec: manager.md §3 get_or_create_user
func TestUserOfNewCredentialsIsAnAdministratorButNoOwner(t *testing.T) {
	guests := guestProvider{group: latchkey.Text(latchkey.GroupReadOnly)}
	h := newHouse(t, latchkey.Options{Providers: []latchkey.Provider{guests}})
	ctx := t.Context()
	u, err := h.GetOrCreateUser(ctx, latchkey.NewCredentials(h.local.Key(), map[string]any{"username": "anna"}))
	if err != nil {
		t.Fatal(err)
	}
	if u.IsOwner || !u.IsAdmin() || u.Name != latchkey.Text("anna") || len(u.Credentials) != 1 || u.Credentials[0].IsNew() {
		t.Errorf("user = %+v", u)
	}
	again, err := h.GetOrCreateUser(ctx, u.Credentials[0])
	if err != nil || again.ID != u.ID {
		t.Errorf("again: %s, %v", again.ID, err)
	}
	guest, err := h.GetOrCreateUser(ctx, latchkey.NewCredentials(guests.Key(), nil))
	if err != nil || guest.IsAdmin() || !guest.LocalOnly || !slices.Equal(guest.GroupIDs, []string{latchkey.GroupReadOnly}) {
		t.Errorf("guest = %+v, %v", guest, err)
	}
	_, err = h.GetOrCreateUser(ctx, latchkey.NewCredentials(latchkey.ProviderKey{Type: "gone"}, nil))
	if !errors.Is(err, latchkey.ErrUnknownProvider) {
		t.Errorf("unknown provider: %v", err)
	}
	h.person(t, "carl", latchkey.GroupAdmin)
	if err := h.RemoveUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err = h.GetOrCreateUser(ctx, u.Credentials[0]); !errors.Is(err, latchkey.ErrUserNotFound) {
		t.Errorf("credentials of a removed user: %v", err)
	}
}

// guestProvider lets everybody in as a guest.
type guestProvider struct{ group latchkey.NullString }

func (guestProvider) Key() latchkey.ProviderKey { return latchkey.ProviderKey{Type: "guests"} }
func (guestProvider) Name() string              { return "Guests" }
func (guestProvider) SupportsMFA() bool         { return false }
func (guestProvider) Step(_ context.Context, s flow.State, _ flow.Input) (flow.State, flow.Result, error) {
	return s, flow.Done{}, nil
}
func (p guestProvider) Credentials(context.Context, map[string]any) (latchkey.Credentials, error) {
	return latchkey.NewCredentials(p.Key(), nil), nil
}
func (p guestProvider) UserMeta(context.Context, latchkey.Credentials) (latchkey.UserMeta, error) {
	return latchkey.UserMeta{Name: latchkey.Text("Guest"), IsActive: true, Group: p.group, LocalOnly: true}, nil
}

// spec: manager.md §3 and §4, events; websocket.md G-5
func TestEvents(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	var got []latchkey.Event
	stop := h.OnEvent(func(e latchkey.Event) { got = append(got, e) })
	u := h.person(t, "anna")
	other := h.person(t, "carl", latchkey.GroupAdmin)
	if _, err := h.UpdateUser(ctx, u.ID, latchkey.UserUpdate{}); err != nil { // fires also when nothing is given
		t.Fatal(err)
	}
	if _, err := h.UpdateUser(ctx, u.ID, latchkey.UserUpdate{IsActive: ptr(false)}); err == nil {
		t.Fatal("the owner was deactivated")
	}
	if err := h.RemoveUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	stop()
	h.person(t, "bob")
	want := []latchkey.Event{
		{Kind: latchkey.EventUserAdded, UserID: u.ID},
		{Kind: latchkey.EventUserAdded, UserID: other.ID},
		{Kind: latchkey.EventUserUpdated, UserID: u.ID},
		{Kind: latchkey.EventUserRemoved, UserID: u.ID},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("(-want +got):", d)
	}
}

// spec: manager.md §2
func TestLookingUpProvidersAndModules(t *testing.T) {
	second := namedProvider{guestProvider{}, latchkey.ProviderKey{Type: "guests", ID: latchkey.Text("b")}}
	h := newHouse(t, latchkey.Options{
		Providers: []latchkey.Provider{guestProvider{}, second}, Modules: []latchkey.MFAModule{newPIN("one", ""), newPIN("two", "")},
	})
	for _, want := range []latchkey.ProviderKey{{Type: "homeassistant"}, {Type: "guests"}, second.key} {
		if p, ok := h.Provider(want); !ok || p.Key() != want {
			t.Errorf("Provider(%v) = %v, %v", want, p, ok)
		}
	}
	for _, absent := range []latchkey.ProviderKey{{Type: "guests", ID: latchkey.Text("c")}, {Type: "guests", ID: latchkey.Text("")}, {}} {
		if _, ok := h.Provider(absent); ok {
			t.Errorf("there is a provider %v", absent)
		}
	}
	if got := h.ProvidersOfType("guests"); len(got) != 2 || got[0].Key().ID.Valid || got[1].Key() != second.key {
		t.Errorf("ProvidersOfType = %v", got)
	}
	if got := h.ProvidersOfType("nope"); len(got) != 0 {
		t.Errorf("ProvidersOfType = %v", got)
	}
	if m, ok := h.Module("two"); !ok || m.ID() != "two" {
		t.Errorf("Module = %v, %v", m, ok)
	}
	if _, ok := h.Module("three"); ok {
		t.Error("there is a module three")
	}
	if len(h.Providers()) != 3 || len(h.Modules()) != 2 || h.Modules()[0].ID() != "one" {
		t.Error("not in the order of the configuration")
	}
}

// namedProvider is a provider under another key.
type namedProvider struct {
	latchkey.Provider
	key latchkey.ProviderKey
}

func (p namedProvider) Key() latchkey.ProviderKey { return p.key }

// Somebody must be left who can manage the house; the refused change leaves everything as it was.
func TestTheLastAdminStays(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	owner := h.person(t, "anna")
	admin := h.person(t, "bob", latchkey.GroupAdmin)
	h.person(t, "carl", latchkey.GroupUser)
	if _, err := h.CreateSystemUser(ctx, latchkey.NewUser{GroupIDs: []string{latchkey.GroupAdmin}}); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveUser(ctx, owner.ID); err != nil { // bob is left
		t.Fatal(err)
	}
	token := h.token(t, admin)
	_, demote := h.UpdateUser(ctx, admin.ID, latchkey.UserUpdate{Name: ptr("Robert"), GroupIDs: ptr([]string{latchkey.GroupUser})})
	_, deactivate := h.UpdateUser(ctx, admin.ID, latchkey.UserUpdate{IsActive: ptr(false)})
	for name, err := range map[string]error{
		"remove": h.RemoveUser(ctx, admin.ID), "demote": demote, "deactivate by update": deactivate,
		"deactivate": h.DeactivateUser(ctx, admin.ID),
	} {
		if !errors.Is(err, latchkey.ErrLastAdmin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := h.User(ctx, admin.ID); err != nil || cmp.Diff(admin, got) != "" {
		t.Errorf("changed: %v, %s", err, cmp.Diff(admin, got))
	}
	if _, err := h.RefreshToken(ctx, token.ID); err != nil {
		t.Errorf("token: %v", err)
	}
	h.person(t, "dora", latchkey.GroupAdmin)
	if err := h.RemoveUser(ctx, admin.ID); err != nil {
		t.Errorf("with another admin: %v", err)
	}
}

// Two sign-ins with a login that nobody has yet must not make two users of it.
func TestOneLoginIsOneUser(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	h.person(t, "anna")
	unlinked := func(name string) latchkey.Credentials {
		c, err := h.local.Credentials(ctx, map[string]any{"username": name})
		if err != nil || !c.IsNew() {
			t.Fatalf("credentials = %+v, %v", c, err)
		}
		return c
	}
	first, second, third := unlinked("Bob"), unlinked("bob"), unlinked("BOB")
	bob, err := h.GetOrCreateUser(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.GetOrCreateUser(ctx, second)
	if err != nil || again.ID != bob.ID {
		t.Errorf("the second sign-in made %s, %v", again.ID, err)
	}
	if err := h.LinkUser(ctx, bob.ID, third); err != nil {
		t.Errorf("linking what the user has already: %v", err)
	}
	if err := h.LinkUser(ctx, h.users(t)[0].ID, third); !errors.Is(err, latchkey.ErrCredentialsLinked) {
		t.Errorf("linking what somebody else has: %v", err)
	}
	if got, _ := h.User(ctx, bob.ID); len(got.Credentials) != 1 {
		t.Errorf("credentials = %v", got.Credentials)
	}
}

// Somebody must be left who can sign in and manage the house; the refused removal leaves password and sessions as they were.
func TestTheLastLoginOfTheLastAdminStays(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	owner, admin := h.person(t, "anna"), h.person(t, "bob", latchkey.GroupAdmin)
	h.person(t, "carl", latchkey.GroupUser)
	if _, err := h.CreateUser(ctx, latchkey.NewUser{GroupIDs: []string{latchkey.GroupAdmin}}); err != nil { // who cannot sign in
		t.Fatal(err)
	}
	if err := h.RemoveCredentials(ctx, owner.Credentials[0]); err != nil { // bob is left
		t.Error(err)
	}
	if err := h.RemoveCredentials(ctx, admin.Credentials[0]); !errors.Is(err, latchkey.ErrLastLogin) {
		t.Errorf("the last login: %v", err)
	}
	if err := h.local.ValidateLogin(ctx, "bob", password); err != nil {
		t.Errorf("its password: %v", err)
	}
	if err := h.local.AddLogin(ctx, admin.ID, "bobby", password); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCredentials(ctx, admin.Credentials[0]); err != nil { // there is another
		t.Error(err)
	}
}
