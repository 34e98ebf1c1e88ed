package ws

import "sync"

// revocation waits for the end of the refresh token that a session authenticated with. A command that ends it itself
// may hold the consequence back until it is answered.
type revocation struct {
	mu      sync.Mutex
	unwatch func()
	end     func()
	revoked bool
	held    bool
}

// watch begins to wait: end is called when the token is gone. register is [latchkey.Manager.OnRevoke].
func (r *revocation) watch(register func(fn func()) (stop func()), end func()) {
	stop := register(r.happened)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unwatch, r.end = stop, end
	if r.revoked { // between the two lines above
		r.end()
	}
}

// stop ends the waiting, if it ever began.
func (r *revocation) stop() {
	if r.unwatch != nil {
		r.unwatch()
	}
}

func (r *revocation) happened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revoked = true
	if !r.held && r.end != nil {
		r.end()
	}
}

// hold runs fn, which may end the token. It reports whether that happened; then the caller closes the session.
func (r *revocation) hold(fn func() error) (revoked bool, err error) {
	r.mu.Lock()
	r.held = true
	r.mu.Unlock()
	defer func() { // also when fn panics
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = false
		revoked = r.revoked
	}()
	return false, fn()
}
