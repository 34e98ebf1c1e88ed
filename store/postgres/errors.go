package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

// told gives what failed the words of the domain: a database that does not answer is [latchkey.ErrUnavailable], and a
// violated constraint says what it is about.
func told(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, latchkey.ErrNotFound), errors.Is(err, latchkey.ErrUnavailable), errors.Is(err, seal.ErrWrongKey):
		return err
	case errors.As(err, &refused):
		switch {
		case refused.Code == "23505":
			return latchkey.ErrExists
		case refused.Code == "23503":
			return fmt.Errorf("what it belongs to: %w", latchkey.ErrNotFound)
		case refused.Code == "42P05", refused.Code == "26000":
			return fmt.Errorf("%w: what stands between pools transactions, in which no statement stays prepared: let it pool sessions, "+
				"or add default_query_exec_mode=exec to the address of the store", err)
		case !passing(refused):
			return err
		}
	case errors.Is(err, context.Canceled), errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone):
		return err
	case !isConnection(err):
		return err
	}
	return fmt.Errorf("%w: %w", latchkey.ErrUnavailable, err)
}

// passing reports whether PostgreSQL refuses for now only: it starts, stops, was too slow, has no room or no disk (classes
// 08, 53, 57 and 58 of its list of errors), has given up a transaction that waited for its node, or only reads, since
// another has taken over.
func passing(refused *pgconn.PgError) bool {
	switch refused.Code {
	case "25P03", "25P04", "25006", "55P03":
		return true
	}
	switch refused.Code[:min(2, len(refused.Code))] {
	case "08", "53", "57", "58":
		return true
	}
	return false
}

// isConnection reports whether an error is one of the line to PostgreSQL, and not one of the program.
func isConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network interface{ Timeout() bool }
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err) || isBroken(err)
}

// isBroken reports whether a connection has ended.
func isBroken(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, driver.ErrBadConn,
		syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// hasEnded reports whether a connection had ended before it was used, or did while it was, so that another may do better.
func hasEnded(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == "57P01" || refused.Code == "57P02" || refused.Code == "57P05"
	}
	var connect *pgconn.ConnectError
	return isBroken(err) && !errors.As(err, &connect)
}

// cause is what matters of an error when there is no connection: the driver lists every way that it has tried.
func cause(err error) error {
	var refused *pgconn.PgError
	var network *net.OpError
	switch {
	case errors.As(err, &refused):
		return errors.New(refused.Message)
	case errors.As(err, &network):
		return network
	}
	return err
}
