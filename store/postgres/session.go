package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepareSessions sets parameters of the sessions of a store that the address does not. They are set once a session has
// begun: what pools sessions for others refuses them at the beginning.
func prepareSessions(config *pgx.ConnConfig, within time.Duration) {
	nameSessions(config)
	var sets strings.Builder
	for _, p := range [][2]string{
		// In small tables PostgreSQL would rather read everything, and then every transaction is in the way of every other.
		{"enable_seqscan", "off"},
		// Nothing that is asked is worth being compiled or shared out among processes, which takes longer than the answer;
		// without statistics, such as after much was imported, PostgreSQL would think otherwise.
		{"jit", "off"},
		{"max_parallel_workers_per_gather", "0"},
		// A statement of its own must see what was committed before it, and what is acknowledged must be durable, whatever
		// the server does for others.
		{"default_transaction_isolation", "read committed"},
		{"synchronous_commit", "on"},
		// What is in the hands of a node that is gone must not hold up the others.
		{"statement_timeout", milliseconds(within)},
		{"idle_in_transaction_session_timeout", milliseconds(10 * within)},
	} {
		if _, given := config.RuntimeParams[p[0]]; !given {
			sets.WriteString("SET " + p[0] + " = '" + p[1] + "';")
		}
	}
	config.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error { return c.Exec(ctx, sets.String()).Close() }
}

// nameSessions lets PostgreSQL say whose the sessions are.
func nameSessions(config *pgx.ConnConfig) {
	const name = "application_name"
	if _, given := config.RuntimeParams[name]; !given {
		config.RuntimeParams[name] = "latchkey"
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }
