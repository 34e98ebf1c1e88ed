package latchkey

import (
	"context"
	"errors"
	"slices"
)

// OnboardingUser is the step of the first set-up that makes the first account (onboarding.md §1).
const OnboardingUser = "user"

// User returns the user with this id, or [ErrNotFound].
func (m *Manager) User(ctx context.Context, id string) (User, error) {
	u, err := m.users.get(ctx, id, m.store.User)
	if err != nil {
		return User{}, err
	}
	return *u, nil
}

// Owner returns the first user with the owner flag, or [ErrNotFound].
func (m *Manager) Owner(ctx context.Context) (User, error) { return m.store.Owner(ctx) }

// UserByCredentials returns the user that holds the credentials with the same id, or [ErrNotFound].
func (m *Manager) UserByCredentials(ctx context.Context, c Credentials) (User, error) {
	return m.store.UserByCredentials(ctx, c.ID)
}

// NewUser describes a user to be made.
type NewUser struct {
	Name NullString
	// GroupIDs may be empty: the user then has no rights.
	GroupIDs  []string
	LocalOnly bool
}

// WithUser is something to be done in the transaction that makes a user: adding a login to it, marking the set-up as
// done. Its error undoes all of it.
type WithUser func(ctx context.Context, tx Tx, u User) error

// CreateUser makes an active user. It becomes the owner when there are no people yet; system users do not count
// (manager.md §3). An unknown group is an error of kind [ErrValue], and nothing is made.
func (m *Manager) CreateUser(ctx context.Context, n NewUser, with ...WithUser) (User, error) {
	return m.create(ctx, n, false, with)
}

// CreateSystemUser makes an active user for a part of the house. It never becomes the owner.
func (m *Manager) CreateSystemUser(ctx context.Context, n NewUser) (User, error) {
	return m.create(ctx, n, true, nil)
}

func (m *Manager) create(ctx context.Context, n NewUser, system bool, with []WithUser) (User, error) {
	var id string
	err := m.store.Update(ctx, func(tx Tx) error {
		u := User{
			ID: NewID(), Name: n.Name, GroupIDs: n.GroupIDs, LocalOnly: n.LocalOnly,
			IsActive: true, SystemGenerated: system,
		}
		if !system {
			people, err := tx.HasPeople(ctx)
			if err != nil {
				return err
			}
			u.IsOwner = !people
		}
		id = u.ID
		return insertUser(ctx, tx, u, with...)
	})
	if err != nil {
		return User{}, err
	}
	return m.User(ctx, id)
}

// insertUser adds a user and announces it.
func insertUser(ctx context.Context, tx Tx, u User, with ...WithUser) error {
	for _, id := range u.GroupIDs {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
	}
	u.GroupIDs = unique(u.GroupIDs)
	if err := tx.InsertUser(ctx, u); err != nil {
		return err
	}
	for _, do := range with {
		if err := do(ctx, tx, u); err != nil {
			return err
		}
	}
	tx.Announce(Change{Kind: EventUserAdded, ID: u.ID})
	return nil
}

func mustExist(ctx context.Context, r Reader, groupID string) error {
	_, err := r.Group(ctx, groupID)
	if errors.Is(err, ErrNotFound) {
		return refuse(ErrValue, "Invalid group specified %s", groupID)
	}
	return err
}

// unique returns the ids without repetitions, in order.
func unique(ids []string) []string {
	var out []string
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// UserUpdate is a change to a user. What is nil is left alone.
type UserUpdate struct {
	Name      *string
	GroupIDs  *[]string
	LocalOnly *bool
	IsActive  *bool
}

// UpdateUser changes a user as a whole or not at all (manager.md §4). Unknown groups are [ErrUnknownGroup];
// deactivating an owner is [ErrOwnerDeactivated], and a change that leaves no admin [ErrLastAdmin]. Deactivating ends everything that the user had begun (security.md 21).
func (m *Manager) UpdateUser(ctx context.Context, userID string, change UserUpdate) (User, error) {
	err := m.store.Update(ctx, func(tx Tx) error {
		u, err := tx.User(ctx, userID)
		if err != nil {
			return err
		}
		before := u
		if change.GroupIDs != nil {
			u.GroupIDs = unique(*change.GroupIDs)
			for _, id := range u.GroupIDs {
				if _, err := tx.Group(ctx, id); errors.Is(err, ErrNotFound) {
					return ErrUnknownGroup
				} else if err != nil {
					return err
				}
			}
		}
		if change.Name != nil {
			u.Name = Text(*change.Name)
		}
		if change.LocalOnly != nil {
			u.LocalOnly = *change.LocalOnly
		}
		if change.IsActive != nil {
			u.IsActive = *change.IsActive
		}
		if err := saveUser(ctx, tx, before, u); err != nil {
			return err
		}
		tx.Announce(Change{Kind: EventUserUpdated, ID: u.ID})
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return m.User(ctx, userID)
}

// saveUser writes a changed user and, when it is not active, removes its refresh tokens.
func saveUser(ctx context.Context, tx Tx, before, u User) error {
	if u.IsOwner && !u.IsActive {
		return ErrOwnerDeactivated
	}
	if err := keepAnAdmin(ctx, tx, before, u); err != nil {
		return err
	}
	if u.IsActive {
		return tx.UpdateUser(ctx, u)
	}
	tokens, err := tx.RefreshTokens(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := tx.DeleteRefreshToken(ctx, t.ID); err != nil {
			return err
		}
	}
	return tx.UpdateUser(ctx, u)
}

// keepAnAdmin refuses a change after which nobody could manage the house any more. After a removal u is the zero User.
func keepAnAdmin(ctx context.Context, r Reader, before, u User) error {
	if before.SystemGenerated || !before.IsAdmin() || u.IsAdmin() {
		return nil
	}
	others, err := r.HasAdminBeside(ctx, before.ID)
	if err == nil && !others {
		err = ErrLastAdmin
	}
	return err
}

// ActivateUser lets a user sign in again.
func (m *Manager) ActivateUser(ctx context.Context, userID string) error {
	return m.setActive(ctx, userID, true)
}

// DeactivateUser keeps a user from signing in and ends everything that the user had begun: refresh tokens, access
// tokens, sockets (security.md 21). An owner cannot be deactivated, nor the last admin: [ErrOwnerDeactivated],
// [ErrLastAdmin].
func (m *Manager) DeactivateUser(ctx context.Context, userID string) error {
	return m.setActive(ctx, userID, false)
}

func (m *Manager) setActive(ctx context.Context, userID string, active bool) error {
	return m.store.Update(ctx, func(tx Tx) error {
		u, err := tx.User(ctx, userID)
		if err != nil {
			return err
		}
		before := u
		u.IsActive = active
		return saveUser(ctx, tx, before, u)
	})
}

// RemoveUser removes a user with its credentials, what their providers keep for them, and its refresh tokens. It is
// [ErrNotFound] for a user that does not exist, and [ErrLastAdmin] for the last one who can manage the house. Nothing
// else stops the owner from being removed: callers check.
func (m *Manager) RemoveUser(ctx context.Context, userID string) error {
	return m.store.Update(ctx, func(tx Tx) error {
		u, err := tx.User(ctx, userID)
		if err != nil {
			return err
		}
		if err := keepAnAdmin(ctx, tx, u, User{}); err != nil {
			return err
		}
		for _, c := range u.Credentials {
			if err := m.notifyRemoval(ctx, tx, c); err != nil {
				return err
			}
		}
		if err := tx.DeleteUser(ctx, userID); err != nil {
			return err
		}
		tx.Announce(Change{Kind: EventUserRemoved, ID: userID})
		return nil
	})
}

// notifyRemoval lets the provider of the credentials remove what it keeps for them.
func (m *Manager) notifyRemoval(ctx context.Context, tx Tx, c Credentials) error {
	p, _ := m.Provider(c.Provider)
	if remover, ok := p.(CredentialsRemover); ok {
		return remover.RemoveCredentials(ctx, tx, c)
	}
	return nil
}

// RemoveCredentials removes credentials from whoever holds them, what their provider keeps for them, and the refresh
// tokens that they led to (security.md W8). Nobody holding them is no error. The last ones of the last admin who can sign in
// stay: [ErrLastLogin].
func (m *Manager) RemoveCredentials(ctx context.Context, c Credentials) error {
	return m.store.Update(ctx, func(tx Tx) error {
		holder, err := tx.UserByCredentials(ctx, c.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := m.notifyRemoval(ctx, tx, c); err != nil {
			return err
		}
		if err := tx.DeleteCredentials(ctx, c.ID); errors.Is(err, ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		return keepALogin(ctx, tx, holder)
	})
}

// keepALogin refuses what has taken credentials from their holder, if nobody can sign in any more who can manage the house.
func keepALogin(ctx context.Context, r Reader, holder User) error {
	if holder.SystemGenerated || !holder.IsActive || !holder.IsAdmin() {
		return nil
	}
	somebody, err := r.HasAdminWithLogin(ctx)
	if err == nil && !somebody {
		err = ErrLastLogin
	}
	return err
}

// UpdateCredentialsData replaces what the provider knows of the person, or is [ErrNotFound].
func (m *Manager) UpdateCredentialsData(ctx context.Context, c Credentials, data map[string]any) error {
	c.Data = data
	return m.store.Update(ctx, func(tx Tx) error { return tx.UpdateCredentials(ctx, c) })
}

// LinkUser links credentials to a user. Credentials that the user has already change nothing; those of somebody else
// are [ErrCredentialsLinked].
func (m *Manager) LinkUser(ctx context.Context, userID string, c Credentials) error {
	return m.store.Update(ctx, func(tx Tx) error {
		switch holder, err := holderOf(ctx, tx, c); {
		case err != nil:
			return err
		case holder == userID:
			return nil
		case holder != "":
			return ErrCredentialsLinked
		}
		c.UserID = userID
		return tx.InsertCredentials(ctx, c)
	})
}

// holderOf returns the id of the user who holds the credentials, or who came to hold others for the same login of the
// same provider since these were made; it is empty if nobody does.
func holderOf(ctx context.Context, r Reader, c Credentials) (string, error) {
	u, err := r.UserByCredentials(ctx, c.ID)
	if err == nil {
		return u.ID, nil
	} else if !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if c.Subject() == "" {
		return "", nil
	}
	same, err := r.CredentialsBySubject(ctx, c.Provider, c.Subject())
	for _, other := range same {
		if other.Subject() == c.Subject() {
			return other.UserID, err
		}
	}
	return "", err
}

// GetOrCreateUser returns the user that holds the credentials. For new credentials it makes one as their provider
// describes it, an administrator unless that says otherwise, and never an owner (manager.md §3). The errors are
// [ErrUserNotFound], [ErrUnknownProvider], and one of kind [ErrValue] for an unknown group.
func (m *Manager) GetOrCreateUser(ctx context.Context, c Credentials) (User, error) {
	if !c.IsNew() {
		u, err := m.UserByCredentials(ctx, c)
		if errors.Is(err, ErrNotFound) {
			return User{}, ErrUserNotFound
		}
		return u, err
	}
	p, ok := m.Provider(c.Provider)
	if !ok {
		return User{}, ErrUnknownProvider
	}
	meta, err := p.UserMeta(ctx, c)
	if err != nil {
		return User{}, err
	}
	group := GroupAdmin
	if meta.Group.Valid {
		group = meta.Group.Text
	}
	var id string
	err = m.store.Update(ctx, func(tx Tx) error {
		// The same login may have been given a user since it was checked, in another window say.
		var err error
		if id, err = holderOf(ctx, tx, c); err != nil || id != "" {
			return err
		}
		u := User{
			ID: NewID(), Name: meta.Name, IsActive: meta.IsActive,
			LocalOnly: meta.LocalOnly, GroupIDs: []string{group},
		}
		id = u.ID
		return insertUser(ctx, tx, u, func(ctx context.Context, tx Tx, u User) error {
			c.UserID = u.ID
			return tx.InsertCredentials(ctx, c)
		})
	})
	if err != nil {
		return User{}, err
	}
	return m.User(ctx, id)
}
