package storetest

import (
	"context"
	"database/sql"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// LookUp asks everything that a reader can be asked and that must cost the same however much there is. The search for a
// single character goes through all users.
func LookUp(ctx context.Context, r latchkey.Reader) {
	_, _ = r.User(ctx, "x")
	_, _ = r.Users(ctx, "", 10)
	_, _ = r.Users(ctx, "x", 10)
	_, _ = r.FindUsers(ctx, "x", "", 10)
	_, _ = r.FindUsers(ctx, "xyz", "", 10)
	_, _ = r.Owner(ctx)
	_, _ = r.HasPeople(ctx)
	_, _ = r.HasAdminBeside(ctx, "x")
	_, _ = r.HasAdminWithLogin(ctx)
	_, _ = r.UserByCredentials(ctx, "x")
	_, _ = r.CredentialsBySubject(ctx, latchkey.ProviderKey{Type: "x"}, "x")
	_, _ = r.Group(ctx, "x")
	_, _ = r.RefreshToken(ctx, "x")
	_, _ = r.RefreshTokenBySecret(ctx, "x")
	_, _ = r.RefreshTokens(ctx, "x")
	_, _ = r.LongLivedToken(ctx, "x", "x")
	_, _ = r.ExpiredRefreshTokens(ctx, time.Now(), 10)
	_, _ = r.NextExpiry(ctx)
	_, _ = r.Passwords(ctx, "x")
	_, _ = r.UnnormalizedUsernames(ctx)
	_, _ = r.ModuleData(ctx, "x", "x")
	_, _ = r.ModulesOf(ctx, "x")
}

// Queries are how many queries [LookUp] makes of an SQL store, at least.
const Queries = 23

// Recorder passes queries on and remembers them, with their arguments.
type Recorder struct {
	To interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	Seen map[string][]any
}

// QueryContext passes a query on.
func (r *Recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.Seen[query] = args
	return r.To.QueryContext(ctx, query, args...)
}

// QueryRowContext passes a query on.
func (r *Recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.Seen[query] = args
	return r.To.QueryRowContext(ctx, query, args...)
}
