package latchkey

import (
	"container/list"
	"sync"
	"time"
)

// maxFromAddress is how many logins may be under way from one address, or one IPv6 network of 64 bits: many more than people
// behind it begin in the lifetime of one.
const maxFromAddress = 100

// underWay knows which logins were begun from where, so that whoever begins them without end drives out their own, and
// neither those of others nor the store's. It is a node's own.
type underWay struct {
	mu        sync.Mutex
	begun     *list.List                 // of begunLogin, oldest first
	byAddress map[string][]*list.Element // of begun, oldest first
}

type begunLogin struct {
	address, id string
	ends        time.Time
}

func newUnderWay() *underWay {
	return &underWay{begun: list.New(), byAddress: map[string][]*list.Element{}}
}

// begin notes a login, and returns the id of the one from that address which is to be forgotten for it, if any. A login
// that is over counts until its lifetime would have been.
func (u *underWay) begin(address, id string) (forget string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for e := u.begun.Front(); e != nil; e = u.begun.Front() {
		if now.Before(e.Value.(begunLogin).ends) && u.begun.Len() < maxPending {
			break
		}
		u.dropOldest(e.Value.(begunLogin).address)
	}
	if len(u.byAddress[address]) >= maxFromAddress {
		forget = u.dropOldest(address)
	}
	e := u.begun.PushBack(begunLogin{address: address, id: id, ends: now.Add(LoginLifetime)})
	u.byAddress[address] = append(u.byAddress[address], e)
	return forget
}

// dropOldest drops the oldest login of an address, which has one, and returns its id. The caller holds mu.
func (u *underWay) dropOldest(address string) string {
	of := u.byAddress[address]
	oldest := u.begun.Remove(of[0]).(begunLogin)
	if u.byAddress[address] = of[1:]; len(of) == 1 {
		delete(u.byAddress, address)
	}
	return oldest.id
}
