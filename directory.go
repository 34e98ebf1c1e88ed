package latchkey

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// pageSize is how many users are read at a time when all are wanted.
const pageSize = 500

// Users goes through all users in the order of their creation, the inactive and the system-generated ones included. It
// ends with the first error. Users that come or go meanwhile are seen or not.
func (m *Manager) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		var seen []string // of the last page
		for {
			page, err := m.pageBehind(ctx, seen)
			if err != nil {
				yield(User{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
			seen = seen[:0]
			for _, u := range page {
				if !yield(u, nil) {
					return
				}
				seen = append(seen, u.ID)
			}
		}
	}
}

// pageBehind returns the next users behind those that were seen. The last of them may have been removed meanwhile; then
// the one before it says where to go on.
func (m *Manager) pageBehind(ctx context.Context, seen []string) ([]User, error) {
	for last := len(seen) - 1; last >= 0; last-- {
		page, err := m.store.Users(ctx, seen[last], pageSize)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		return slices.DeleteFunc(page, func(u User) bool { return slices.Contains(seen, u.ID) }), err
	}
	if len(seen) > 0 {
		return nil, fmt.Errorf("list users: all %d of the last page were removed meanwhile: %w", len(seen), ErrConflict)
	}
	return m.store.Users(ctx, "", pageSize)
}

// FindUsers returns up to limit users whose name or username contains text, whatever the case of either, or whose id is
// text; an empty text finds everybody. They come in the order of their creation and begin behind the user with the id
// after, or with the first if that is empty; it is [ErrNotFound] if that user is gone. A limit below one finds
// nobody. For a text of one or two characters it takes longer the more users there are.
func (m *Manager) FindUsers(ctx context.Context, text, after string, limit int) ([]User, error) {
	return m.store.FindUsers(ctx, text, after, limit)
}
