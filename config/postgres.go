package config

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// openPostgres connects to a PostgreSQL that other nodes may share.
func openPostgres(ctx context.Context, c Config) (latchkey.Store, error) {
	options := []postgres.Option{postgres.WithLogger(c.Logger)}
	if c.SealKey != "" {
		options = append(options, postgres.WithSealKey([]byte(c.SealKey.Reveal())))
	}
	if c.MustExist {
		options = append(options, postgres.WithExisting())
	}
	store, err := noNil(postgres.Open(ctx, c.Store.Scheme+":"+c.Store.Path, options...))
	if errors.Is(err, postgres.ErrNoHouse) {
		return nil, fmt.Errorf("database %s: %w: check the address, or make the first account with `latchkey user add`", c.Store, err)
	}
	return store, err
}

// withoutSecrets returns an address of a database without its password and its parameters, among which may be one.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		return scheme + ":…"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery = ""
	return u.String()
}
