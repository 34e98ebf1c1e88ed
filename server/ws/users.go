package ws

import (
	"context"
	"errors"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

var (
	errUserNotFound = &Error{Code: CodeNotFound, Message: "User not found"}
	errSystemUpdate = &Error{Code: "cannot_modify_system_generated", Message: "Unable to update system generated users."}
	errDeactivate   = &Error{Code: "cannot_deactivate_owner", Message: "Unable to deactivate owner."}
	errDeleteSelf   = &Error{Code: "no_delete_self", Message: "Unable to delete your own account"}
	errDeleteOwner  = &Error{Code: CodeNotAllowed, Message: "Unable to delete the owner"}
)

// admin are the commands with which administrators manage users (websocket.md §6).
type admin struct{ manager *latchkey.Manager }

func adminCommands(m *latchkey.Manager) []Command {
	a := admin{m}
	return []Command{
		Define("config/auth/list", Admin, a.list),
		Define("config/auth/create", Admin, a.create),
		Define("config/auth/update", Admin, a.update),
		Define("config/auth/delete", Admin, a.delete),
	}
}

// userEntry is a user as administrators see it.
type userEntry struct {
	ID              string              `json:"id"`
	Username        *string             `json:"username"`
	Name            latchkey.NullString `json:"name"`
	IsOwner         bool                `json:"is_owner"`
	IsActive        bool                `json:"is_active"`
	LocalOnly       bool                `json:"local_only"`
	SystemGenerated bool                `json:"system_generated"`
	GroupIDs        []string            `json:"group_ids"`
	Credentials     []credentialsEntry  `json:"credentials"`
}

type credentialsEntry struct {
	Type string `json:"type"`
}

type oneUser struct {
	User userEntry `json:"user"`
}

func describe(u latchkey.User) userEntry {
	entry := userEntry{
		ID: u.ID, Name: u.Name, IsOwner: u.IsOwner, IsActive: u.IsActive, LocalOnly: u.LocalOnly,
		SystemGenerated: u.SystemGenerated, GroupIDs: append([]string{}, u.GroupIDs...),
		Credentials: make([]credentialsEntry, len(u.Credentials)),
	}
	for i, c := range u.Credentials {
		entry.Credentials[i].Type = c.Provider.Type
	}
	if login, ok := homeassistant.LoginOf(u); ok {
		name := login.Text("username")
		entry.Username = &name
	}
	return entry
}

func (a admin) list(ctx context.Context, _ *Call, _ None) ([]userEntry, error) {
	list := []userEntry{}
	for u, err := range a.manager.Users(ctx) {
		if err != nil {
			return nil, err
		}
		list = append(list, describe(u))
	}
	return list, nil
}

type newUser struct {
	Name      string   `json:"name"`
	GroupIDs  []string `json:"group_ids,omitzero"`
	LocalOnly bool     `json:"local_only,omitzero"`
}

// create makes a user, who without groups has no rights (websocket.md G-1).
func (a admin) create(ctx context.Context, _ *Call, in newUser) (oneUser, error) {
	u, err := a.manager.CreateUser(ctx, latchkey.NewUser{
		Name: latchkey.Text(in.Name), GroupIDs: in.GroupIDs, LocalOnly: in.LocalOnly,
	})
	if errors.Is(err, latchkey.ErrValue) {
		return oneUser{}, errUnknown
	}
	return oneUser{describe(u)}, err
}

type userChange struct {
	UserID    string    `json:"user_id"`
	Name      *string   `json:"name,omitzero"`
	IsActive  *bool     `json:"is_active,omitzero"`
	GroupIDs  *[]string `json:"group_ids,omitzero"`
	LocalOnly *bool     `json:"local_only,omitzero"`
}

// update changes a user as a whole or not at all (websocket.md G-2). Whoever deactivates themself gets the answer before
// the socket closes.
func (a admin) update(ctx context.Context, c *Call, in userChange) (oneUser, error) {
	u, err := a.manager.User(ctx, in.UserID)
	switch {
	case errors.Is(err, latchkey.ErrNotFound):
		return oneUser{}, errUserNotFound
	case err != nil:
		return oneUser{}, err
	case u.SystemGenerated:
		return oneUser{}, errSystemUpdate
	case u.IsOwner && in.IsActive != nil && !*in.IsActive:
		return oneUser{}, errDeactivate
	}
	err = c.endingSession(func() error {
		u, err = a.manager.UpdateUser(ctx, in.UserID, latchkey.UserUpdate{
			Name: in.Name, GroupIDs: in.GroupIDs, LocalOnly: in.LocalOnly, IsActive: in.IsActive,
		})
		return err
	})
	switch {
	case errors.Is(err, latchkey.ErrNotFound): // gone since it was looked up
		return oneUser{}, errUserNotFound
	case errors.Is(err, latchkey.ErrUnknownGroup):
		return oneUser{}, errUnknown
	case errors.Is(err, latchkey.ErrOwnerDeactivated): // an owner since it was looked up
		return oneUser{}, errDeactivate
	}
	return oneUser{describe(u)}, err
}

type userID struct {
	ID string `json:"user_id"`
}

// delete removes a user with everything that was theirs. The owner stays (websocket.md G-3).
func (a admin) delete(ctx context.Context, c *Call, in userID) (None, error) {
	if in.ID == c.User.ID {
		return None{}, errDeleteSelf
	}
	u, err := a.manager.User(ctx, in.ID)
	if err == nil && u.IsOwner {
		return None{}, errDeleteOwner
	}
	if err == nil {
		err = a.manager.RemoveUser(ctx, in.ID)
	}
	if errors.Is(err, latchkey.ErrNotFound) {
		return None{}, errUserNotFound
	}
	return None{}, err
}
