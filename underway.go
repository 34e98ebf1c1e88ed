package latchkey

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// maxBegun is how many dialogues may be under way that one address, one IPv6 network of 64 bits or one user began: many more
// than people begin in the lifetime of one.
const maxBegun = 100

// underWay knows which dialogues were begun by whom, so that whoever begins them without end drives out their own, and
// neither those of others nor the store's. It is a node's own.
type underWay struct {
	mu    sync.Mutex
	begun *list.List                 // of begun dialogues, oldest first
	by    map[string][]*list.Element // of begun, oldest first
}

type begunDialogue struct {
	by, key string
	ends    time.Time
}

func newUnderWay() *underWay {
	return &underWay{begun: list.New(), by: map[string][]*list.Element{}}
}

// begin notes a dialogue, and returns the key of the one of the same beginner that is to be forgotten for it, if any. A
// dialogue that is over counts until its lifetime would have been.
func (u *underWay) begin(by, key string) (forget string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for e := u.begun.Front(); e != nil; e = u.begun.Front() {
		oldest := e.Value.(begunDialogue)
		if now.Before(oldest.ends) && u.begun.Len() < maxPending {
			break
		}
		u.dropOldest(oldest.by)
	}
	if len(u.by[by]) >= maxBegun {
		forget = u.dropOldest(by)
	}
	e := u.begun.PushBack(begunDialogue{by: by, key: key, ends: now.Add(LoginLifetime)})
	u.by[by] = append(u.by[by], e)
	return forget
}

// dropOldest drops the oldest dialogue of somebody who has one, and returns its key. The caller holds mu.
func (u *underWay) dropOldest(by string) string {
	of := u.by[by]
	oldest := u.begun.Remove(of[0]).(begunDialogue)
	if u.by[by] = of[1:]; len(of) == 1 {
		delete(u.by, by)
	}
	return oldest.key
}

// keep keeps a dialogue for its next step. Of too many that somebody began the oldest is forgotten; the empty beginner may
// be anybody.
func (m *Manager) keep(ctx context.Context, by, key string, dialogue any) error {
	if by != "" {
		if oldest := m.underWay.begin(by, key); oldest != "" {
			if _, err := m.pending.Take(ctx, oldest); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
	}
	return m.pending.put(ctx, key, dialogue, LoginLifetime)
}
