package ws

import (
	"context"

	"github.com/seed-6a977b3d/latchkey"
)

func userCommands(m *latchkey.Manager) []Command {
	return []Command{
		Define("auth/current_user", Anyone, func(ctx context.Context, c *Call, _ None) (currentUser, error) {
			return describeCaller(ctx, m, c.User)
		}),
	}
}

// currentUser is the result of auth/current_user (websocket.md §5.1). It has neither usernames nor data of credentials.
type currentUser struct {
	ID          string              `json:"id"`
	Name        latchkey.NullString `json:"name"`
	IsOwner     bool                `json:"is_owner"`
	IsAdmin     bool                `json:"is_admin"`
	Credentials []callerCredentials `json:"credentials"`
	MFAModules  []callerModule      `json:"mfa_modules"`
}

type callerCredentials struct {
	Type string              `json:"auth_provider_type"`
	ID   latchkey.NullString `json:"auth_provider_id"`
}

type callerModule struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

func describeCaller(ctx context.Context, m *latchkey.Manager, u latchkey.User) (currentUser, error) {
	enabled, err := m.EnabledModules(ctx, u.ID)
	if err != nil {
		return currentUser{}, err
	}
	result := currentUser{
		ID: u.ID, Name: u.Name, IsOwner: u.IsOwner, IsAdmin: u.IsAdmin(),
		Credentials: make([]callerCredentials, len(u.Credentials)), MFAModules: []callerModule{},
	}
	for i, c := range u.Credentials {
		result.Credentials[i] = callerCredentials{Type: c.Provider.Type, ID: c.Provider.ID}
	}
	has := map[string]bool{}
	for _, module := range enabled {
		has[module.ID()] = true
	}
	for _, module := range m.Modules() {
		result.MFAModules = append(result.MFAModules,
			callerModule{ID: module.ID(), Name: module.Name(), Enabled: has[module.ID()]})
	}
	return result, nil
}
