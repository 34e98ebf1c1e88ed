// Package record keeps what a second-factor module knows of each of its users, as JSON in the store. It knows neither
// the modules nor what their records mean.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// Store is what a Table needs of a [latchkey.Store].
type Store interface {
	latchkey.ModuleDataReader
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Table holds a record of type T for each user who has set the module up.
type Table[T any] struct {
	Store    Store
	ModuleID string
}

// Read returns the record of a user, read from the store or within a transaction, or [latchkey.ErrNotFound].
func (t Table[T]) Read(ctx context.Context, r latchkey.ModuleDataReader, userID string) (T, error) {
	var v T
	data, err := r.ModuleData(ctx, t.ModuleID, userID)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		var none T
		return none, fmt.Errorf("read the data of second factor %s for user %s: %w", t.ModuleID, userID, err)
	}
	return v, nil
}

// Write replaces the record of a user who exists, or is [latchkey.ErrNotFound].
func (t Table[T]) Write(ctx context.Context, tx latchkey.Tx, userID string, v T) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.PutModuleData(ctx, t.ModuleID, userID, data)
}

// Has reports whether there is a record of a user, readable or not.
func (t Table[T]) Has(ctx context.Context, userID string) (bool, error) {
	_, err := t.Store.ModuleData(ctx, t.ModuleID, userID)
	if errors.Is(err, latchkey.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Delete deletes the record of a user, who may have none.
func (t Table[T]) Delete(ctx context.Context, userID string) error {
	err := t.Store.Update(ctx, func(tx latchkey.Tx) error { return tx.DeleteModuleData(ctx, t.ModuleID, userID) })
	if errors.Is(err, latchkey.ErrNotFound) {
		return nil
	}
	return err
}
