// Package ws is the WebSocket interface of latchkey: the handshake, the session and its table of commands
// (websocket.md). It translates between frames and a [latchkey.Manager], decides nothing about users or tokens, and
// knows neither stores nor the HTTP endpoints beside it.
package ws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// DefaultHAVersion is the version of Home Assistant that clients are told unless the options name another.
const DefaultHAVersion = "2025.11.0"

// Options are what a [Handler] can be given. The zero value works.
type Options struct {
	// HAVersion is the version of Home Assistant whose interface this is, which clients compare to know what they may
	// send: YYYY.M.P, 2022.9.0 or later (websocket.md W-12). [DefaultHAVersion] if empty.
	HAVersion string
	// Origin tells where a request came from; nil takes the address of the connection.
	Origin func(*http.Request) latchkey.Origin
	// AuthFailed is called for each authentication that counts as a failed login, before the client hears of it; nil if
	// nobody counts (websocket.md §2).
	AuthFailed func(*http.Request)
	// AuthOK is called for each authentication that succeeds; nil if nobody counts.
	AuthOK func(*http.Request)
	// Local is the provider whose usernames and passwords are managed over the socket; it must be one of the manager's.
	// Nil leaves those commands out (websocket.md §7).
	Local *homeassistant.Provider
	// Signer signs paths for clients; nil leaves that command out (websocket.md §5.7).
	Signer Signer
	// Bans are the banned addresses that administrators see and lift; nil leaves those commands out.
	Bans Bans
	// Commands are served beside the built-in ones. No two commands may have the same name.
	Commands []Command
	// Logger gets what clients are not told; nil for slog.Default.
	Logger *slog.Logger
}

// Handler serves GET /api/websocket. Shutdown ends it.
type Handler struct {
	manager  *latchkey.Manager
	options  Options
	log      *slog.Logger
	commands map[string]Command
	events   *eventBus
	stopping chan struct{} // closed by Shutdown
	bigFirst chan struct{} // the turns of large first messages

	mu       sync.Mutex
	sessions map[*session]struct{}
	running  sync.WaitGroup // requests, and what commands left to be done later
	stopped  bool
}

// New returns a handler over the manager. It refuses to do without one, an HAVersion that clients could not read, a Local that the manager
// does not have, and two commands of one name.
func New(m *latchkey.Manager, o Options) (*Handler, error) {
	if m == nil {
		return nil, errors.New("WebSocket: no manager: make one with latchkey.New")
	}
	if o.HAVersion == "" {
		o.HAVersion = DefaultHAVersion
	}
	if err := checkVersion(o.HAVersion); err != nil {
		return nil, err
	}
	if o.Local != nil {
		if _, ok := m.Provider(o.Local.Key()); !ok {
			return nil, errors.New("WebSocket options: Local is not among the manager's providers, so its logins would be of no use")
		}
	}
	if o.Origin == nil {
		o.Origin = connectionOrigin
	}
	h := &Handler{
		manager: m, options: o, log: o.Logger,
		commands: map[string]Command{}, events: newEventBus(m),
		stopping: make(chan struct{}), bigFirst: make(chan struct{}, bigFirsts), sessions: map[*session]struct{}{},
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	for _, family := range [][]Command{
		coreCommands(), userCommands(m), tokenCommands(m, h.later), mfaCommands(m), adminCommands(m),
		passwordCommands(m, o.Local), signCommands(o.Signer), banCommands(o.Bans), eventCommands(h.events), o.Commands,
	} {
		for _, c := range family {
			if err := h.add(c); err != nil {
				h.events.stop()
				return nil, err
			}
		}
	}
	return h, nil
}

func (h *Handler) add(c Command) error {
	if c.name == "" || c.run == nil {
		return fmt.Errorf("command %q is empty: make commands with ws.Define", c.name)
	}
	if c.err != nil {
		return c.err
	}
	if _, ok := h.commands[c.name]; ok {
		return fmt.Errorf("there are two commands %q: give one of them another name", c.name)
	}
	h.commands[c.name] = c
	return nil
}

var versionForm = regexp.MustCompile(`^(\d{4})\.(\d{1,2})\.\d+$`)

func checkVersion(v string) error {
	parts := versionForm.FindStringSubmatch(v)
	if parts == nil {
		return fmt.Errorf("HAVersion %q does not look like YYYY.M.P, such as %s", v, DefaultHAVersion)
	}
	year, _ := strconv.Atoi(parts[1])
	month, _ := strconv.Atoi(parts[2])
	if year < 2022 || year == 2022 && month < 9 {
		return fmt.Errorf("HAVersion %q is too old for the messages that are sent: use 2022.9.0 or later", v)
	}
	return nil
}

// connectionOrigin is the address at the other end of the connection.
func connectionOrigin(r *http.Request) latchkey.Origin {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return latchkey.Origin{Addr: at.Addr()}
	}
	return latchkey.Origin{}
}

// ServeHTTP upgrades the connection and serves it until it ends (websocket.md W-1).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "405: Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if !r.ProtoAtLeast(1, 1) || !hasToken(r, "Connection", "upgrade") || !hasToken(r, "Upgrade", "websocket") {
		http.Error(w, "400: Bad Request: a WebSocket handshake is expected here", http.StatusBadRequest)
		return
	}
	if !h.begin() {
		http.Error(w, "503: Service Unavailable: the server is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer h.running.Done()
	origin := h.options.Origin(r)
	hijack := &hijacker{ResponseWriter: w}
	// No cookie signs anybody in here, so a foreign page gains nothing by connecting (W-1). Windows are not kept between
	// messages: keeping them would cost each idle socket more than a megabyte.
	conn, err := websocket.Accept(hijack, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionNoContextTakeover,
		CompressionThreshold: compressFrom,
	})
	if err != nil {
		h.log.Debug("WebSocket handshake failed", "remote", r.RemoteAddr, "error", err)
		return
	}
	s := newSession(h, conn, hijack.wire, origin)
	if h.enter(s) {
		s.serve(r)
		h.leave(s)
	} else {
		s.end(websocket.StatusNormalClosure)
	}
	s.tasks.Wait()
}

func hasToken(r *http.Request, header, token string) bool {
	for _, line := range r.Header.Values(header) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// begin lets a request in, unless the handler is shutting down.
func (h *Handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.running.Add(1)
	}
	return !h.stopped
}

// enter notes a session for Shutdown, unless that was called already.
func (h *Handler) enter(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.sessions[s] = struct{}{}
	}
	return !h.stopped
}

func (h *Handler) leave(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s)
}

// later runs something for a command after it was answered; Shutdown waits for it. fn is told when to hurry.
func (h *Handler) later(fn func(hurry <-chan struct{})) {
	h.running.Go(func() { fn(h.stopping) })
}

// Shutdown closes all sockets, refuses new ones, and waits until nothing is under way any more (websocket.md W-6).
// When ctx ends first, what is left of the connections is dropped and the error is that of ctx.
func (h *Handler) Shutdown(ctx context.Context) error {
	open := h.stop()
	for _, s := range open {
		s.end(websocket.StatusNormalClosure)
	}
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, s := range open {
			_ = s.wire.Close()
		}
		return ctx.Err()
	}
}

// stop refuses new sessions and returns the open ones.
func (h *Handler) stop() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.stopped = true
		close(h.stopping)
		h.events.stop()
	}
	open := make([]*session, 0, len(h.sessions))
	for s := range h.sessions {
		open = append(open, s)
	}
	return open
}
