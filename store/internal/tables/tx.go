package tables

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// Runner runs the statements of a transaction.
type Runner interface {
	// Exec runs a statement, and returns how many rows it has changed. When it is refused the transaction may be of no more
	// use.
	Exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	// Try is Exec for a statement that a constraint may refuse: then the transaction goes on as if it had not been run.
	Try(ctx context.Context, query string, args ...any) (rows int64, err error)
	// Insert inserts many rows, in order.
	Insert(ctx context.Context, into Table, rows [][]any) error
}

// Tx is a transaction. It implements latchkey.Tx and gathers the changes that it makes.
type Tx struct {
	Reader
	run     Runner
	changes []latchkey.Change
	inside  bool // an operation has begun, and is undone as a whole
}

var _ latchkey.Tx = (*Tx)(nil)

// NewTx returns a transaction whose statements run by run and whose questions r answers.
func NewTx(r Reader, run Runner) *Tx { return &Tx{Reader: r, run: run} }

// Changes are what the transaction has changed until now.
func (t *Tx) Changes() []latchkey.Change { return t.changes }

// Announce implements latchkey.Tx.
func (t *Tx) Announce(c latchkey.Change) { t.changes = append(t.changes, c) }

// Exec runs a statement that no constraint can refuse, and reports whether it has changed anything.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (changed bool, err error) {
	return t.change(ctx, t.run.Exec, query, args)
}

// try runs a statement that a constraint may refuse.
func (t *Tx) try(ctx context.Context, query string, args ...any) (changed bool, err error) {
	if t.inside { // and undone with the rest of the operation
		return t.Exec(ctx, query, args...)
	}
	return t.change(ctx, t.run.Try, query, args)
}

func (t *Tx) change(
	ctx context.Context, run func(context.Context, string, ...any) (int64, error), query string, args []any,
) (changed bool, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		n, err := run(ctx, query, args...)
		changed = n > 0
		return err
	})
	return changed, t.dialect.Told(err)
}

// about names what a statement was about that has failed. Where it was of no use unless it changed something, missed is the
// error when it has not.
func about(what string, changed bool, err, missed error) error {
	if err == nil && !changed {
		err = missed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// must runs a statement that no constraint can refuse, and that has to change something.
func (t *Tx) must(ctx context.Context, missed error, what, query string, args ...any) error {
	changed, err := t.Exec(ctx, query, args...)
	return about(what, changed, err, missed)
}

// insert inserts one row, which a constraint may refuse.
func (t *Tx) insert(ctx context.Context, what string, into Table, row []any) error {
	changed, err := t.try(ctx, into.Values(), row...)
	return about(what, changed, err, nil)
}

// note notes that the operation at hand changes these.
func (t *Tx) note(kind latchkey.ChangeKind, ids ...string) {
	for _, id := range ids {
		t.Announce(latchkey.Change{Kind: kind, ID: id})
	}
}

// noted notes a change unless the statement that makes it has failed.
func (t *Tx) noted(err error, kind latchkey.ChangeKind, id string) error {
	if err == nil {
		t.note(kind, id)
	}
	return err
}

// whole runs the steps of one operation so that all of them are done or none, also when the transaction goes on after
// the operation has failed.
func (t *Tx) whole(ctx context.Context, steps func() error) error {
	noted := len(t.changes)
	if _, err := t.Exec(ctx, `SAVEPOINT operation`); err != nil {
		return err
	}
	t.inside = true
	err := steps()
	t.inside = false
	if err != nil {
		t.changes = t.changes[:noted]
		_, undone := t.Exec(ctx, `ROLLBACK TO operation`)
		err = errors.Join(err, undone)
	}
	_, ended := t.Exec(ctx, `RELEASE operation`)
	return errors.Join(err, ended)
}
