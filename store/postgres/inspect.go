package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

// Inspection is what there is to know about a database without touching it.
type Inspection struct {
	// Place names the database without user and password.
	Place string
	// Version is that of the tables, and Newest the one that this program knows. Zero is an empty database.
	Version, Newest int
	// Server is the version of PostgreSQL.
	Server string
	// Latency is how long an answer takes, the median of several.
	Latency time.Duration
	// ClockAhead is how much the clock of the database is ahead of the one here.
	ClockAhead time.Duration
	// Standby says that the database only follows another one, and cannot be written to.
	Standby bool
	// Volatile names settings of the server under which what was acknowledged may be lost with it.
	Volatile []string
	// Connections is how many the server takes, and Others how many other sessions of our name use this database.
	Connections, Others int
	// Key says why the key does not open the secrets; nil if it does.
	Key error
	// People says that there are users, and Admin that one of them can manage the house.
	People, Admin bool
	// Latest is when a token was made or used last; zero if never.
	Latest time.Time
}

// Inspect looks at a database, also while nodes use it, and changes nothing. The error says why it cannot be used, without
// the address, which may hold a password. What was found until then is returned along with it.
func Inspect(ctx context.Context, address string, key []byte) (found Inspection, err error) {
	found.Newest = len(migrations())
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return found, errors.New("the address of the database is not understood: write postgres://USER@HOST:PORT/DATABASE")
	}
	found.Place = fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database)
	ctx, cancel := context.WithTimeout(ctx, 10*defaultWithin)
	defer cancel()
	config.ConnectTimeout = defaultWithin
	nameSessions(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return found, refusal(found.Place, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return found, pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return found.read(ctx, tx, key)
	})
}

// read looks at everything in turn.
func (found *Inspection) read(ctx context.Context, tx pgx.Tx, key []byte) (err error) {
	for _, look := range []func(context.Context, pgx.Tx) error{found.measure, found.readServer, found.readVersion} {
		if err := look(ctx, tx); err != nil {
			return err
		}
	}
	if found.Version == 0 {
		return nil
	}
	if found.Key, err = tryKey(ctx, tx, key); err != nil {
		return err
	}
	return found.readHouse(ctx, tx)
}

// refusal says why there is no connection.
func refusal(place string, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("PostgreSQL at %s refuses: %s", place, refused.Message)
	}
	return fmt.Errorf("PostgreSQL at %s does not answer: %w", place, latchkey.ErrUnavailable)
}

// measure takes the times.
func (found *Inspection) measure(ctx context.Context, tx pgx.Tx) error {
	var took []time.Duration
	for range 5 {
		ahead, while, err := clockAhead(func(there *time.Time) error { return tx.QueryRow(ctx, selectClock).Scan(there) })
		if err != nil {
			return err
		}
		took = append(took, while)
		found.ClockAhead = ahead
	}
	slices.Sort(took)
	found.Latency = took[len(took)/2]
	return nil
}

func (found *Inspection) readServer(ctx context.Context, tx pgx.Tx) error {
	var fsync, pages, commit, connections string
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('max_connections'),
		(SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = current_setting('application_name') AND pid <> pg_backend_pid())`,
	).Scan(&found.Server, &found.Standby, &fsync, &pages, &commit, &connections, &found.Others)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"fsync": fsync, "full_page_writes": pages} {
		if value == "off" {
			found.Volatile = append(found.Volatile, name)
		}
	}
	slices.Sort(found.Volatile)
	found.Connections, err = strconv.Atoi(connections)
	return err
}

func (found *Inspection) readVersion(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('meta') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	var text []byte
	if err := tx.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'version'`).Scan(&text); err != nil {
		return fmt.Errorf("there is a table meta that is not ours: use a database of its own for latchkey: %w", err)
	}
	version, err := strconv.Atoi(string(text))
	if err == nil && version > found.Newest {
		err = fmt.Errorf("the tables are of version %d, and this program knows %d: use a newer latchkey", version, found.Newest)
	}
	found.Version = version
	return err
}

// tryKey opens with the key what was sealed for this.
func tryKey(ctx context.Context, tx pgx.Tx, key []byte) (wrong, err error) {
	if len(key) == 0 {
		return errNoKey, nil
	}
	box, wrong := seal.New(key)
	if wrong != nil {
		return wrong, nil
	}
	var sealed []byte
	err = tx.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'key'`).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // nothing was sealed yet
	} else if err != nil {
		return nil, err
	}
	if _, err := box.Open(sealed, keyPlace); err != nil {
		return errWrongKey, nil
	}
	return nil, nil
}

func (found *Inspection) readHouse(ctx context.Context, tx pgx.Tx) error {
	var latest sql.Null[int64]
	err := tx.QueryRow(ctx, `SELECT
		EXISTS (SELECT 1 FROM users WHERE NOT system_generated),
		EXISTS (SELECT 1 FROM users u WHERE NOT system_generated AND (is_owner OR is_active AND EXISTS
			(SELECT 1 FROM user_groups WHERE user_id = u.id AND group_id = $1))),
		(SELECT max(greatest(created_at, last_used_at)) FROM refresh_tokens)`, latchkey.GroupAdmin,
	).Scan(&found.People, &found.Admin, &latest)
	if err == nil && latest.Valid {
		found.Latest = time.UnixMicro(latest.V).UTC()
	}
	return err
}
