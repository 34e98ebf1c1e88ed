package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/indieauth"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/ban"
	"github.com/seed-6a977b3d/latchkey/server/pages"
	"github.com/seed-6a977b3d/latchkey/server/web"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// drainLimit is how long open requests may take after the signal to stop.
const drainLimit = 10 * time.Second

// keepPages is how long the page of an application is remembered, so that a burst of sign-ins asks for it once.
const keepPages = 10 * time.Second

// serverFlags are the flags of what serves, and of what looks at how it would.
type serverFlags struct {
	storeFlags
	Listen    *string `placeholder:"HOST:PORT" help:"Address to serve on; 127.0.0.1:8123 unless set ($LATCHKEY_LISTEN)."`
	LogFormat *string `placeholder:"FORMAT" help:"text or json; text unless set ($LATCHKEY_LOG_FORMAT)."`
	LogLevel  *string `placeholder:"LEVEL" help:"debug, info, warn or error; info unless set ($LATCHKEY_LOG_LEVEL)."`
}

// load returns the configuration with all flags.
func (f serverFlags) load(p *program) (config.Config, error) {
	return f.storeFlags.load(p,
		override{config.Listen, "--listen", f.Listen},
		override{config.LogFormatKey, "--log-format", f.LogFormat},
		override{config.LogLevelKey, "--log-level", f.LogLevel})
}

type serveCommand struct{ serverFlags }

// Run serves until the context ends.
func (c *serveCommand) Run(p *program) (err error) {
	settings, err := c.load(p)
	logger := newLogger(settings, p.stderr)
	p.warnOfStrays(logger) // also where what is wrong may come from that
	if err != nil {
		return err
	}
	// Before the store: a second server started by mistake touches nothing.
	listener, err := listen(p.ctx, settings.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed already, unless what follows fails
	running, err := openToServe(p.ctx, settings, logger)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	code, err := setupCode(p.ctx, running)
	if err != nil {
		return err
	}
	guard := newGuard(settings, running, logger)
	defer guard.Close()
	w, err := newWire(p.ctx, settings, running, guard, code, logger)
	if err != nil {
		return err
	}
	if err := announce(p.stdout, listener.Addr(), code); err != nil {
		return err
	}
	logger.Info("serving", "address", listener.Addr().String(), "store", settings.Store.String())
	return w.serve(p.ctx, listener)
}

// openToServe opens the house, and tells when that takes long: nobody is served meanwhile.
func openToServe(ctx context.Context, settings config.Config, logger *slog.Logger) (*config.Running, error) {
	defer time.AfterFunc(time.Second, func() {
		logger.Info("the store is still being opened: what an earlier version has written may have to be brought up to date",
			"store", settings.Store.String())
	}).Stop()
	return config.Open(ctx, settings, logger)
}

// listen opens the address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	listener, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, adviseListen(address, err)
	}
	return listener, nil
}

// adviseListen adds what to do about an address that cannot be listened on.
func adviseListen(address string, err error) error {
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return fmt.Errorf("listen on %s: %q is no address, and no name that has one (%s): choose an address of this machine, "+
			"such as 127.0.0.1:8123, or :8123 for all of them, with --listen", address, unknown.Name, unknown.Err)
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	advice := map[syscall.Errno]string{
		syscall.EADDRINUSE:    "another program, perhaps another latchkey, serves there; stop it or choose another port with --listen",
		syscall.EACCES:        "ports below 1024 are for the administrator; choose a higher one with --listen",
		syscall.EADDRNOTAVAIL: "it is not an address of this machine; choose one that is, or :PORT for all of them, with --listen",
	}[number]
	if advice == "" {
		advice = "choose another address with --listen"
	}
	return fmt.Errorf("listen on %s: %w: %s", address, number, advice)
}

// setupCode returns a new code for the set-up from other machines, or nothing once there is an account.
func setupCode(ctx context.Context, r *config.Running) (latchkey.Secret, error) {
	onboarded, err := r.Manager.Onboarded(ctx)
	if err != nil || onboarded {
		return "", err
	}
	var random [10]byte // 80 bits: 16 letters and digits
	_, _ = rand.Read(random[:])
	text := base32.StdEncoding.EncodeToString(random[:])
	code := latchkey.Secret(strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-"))
	return shared(ctx, r.Pending, "setup-code", code, setupCodeLasts)
}

// announce tells the operator that the server is ready, in one write.
func announce(w io.Writer, at net.Addr, code latchkey.Secret) error {
	text := fmt.Sprintf("latchkey is ready: open %s\n", openAddress(at))
	if code != "" {
		text += fmt.Sprintf("to make the first account from another machine, use the setup code %s\n", code.Reveal())
	}
	_, err := io.WriteString(w, text)
	return err
}

// openAddress returns what to type into a browser on this machine.
func openAddress(at net.Addr) string {
	host := at.String()
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return "http://" + host + "/"
}

// wire is everything that talks to clients.
type wire struct {
	http    *http.Server
	sockets *ws.Handler
	limit   time.Duration // for open requests to end after the signal to stop
	log     *slog.Logger
}

// newWire puts the API, the socket and the pages over what is running.
func newWire(
	ctx context.Context, c config.Config, r *config.Running, guard *ban.Guard, code latchkey.Secret, logger *slog.Logger,
) (*wire, error) {
	key, err := shared(ctx, r.Pending, "signed-paths", latchkey.NewSecret(), signerLasts)
	if err != nil {
		return nil, err
	}
	signer, err := server.NewSharedSigner(key)
	if err != nil {
		return nil, err
	}
	sockets, err := ws.New(r.Manager, ws.Options{
		Origin: origin, Local: r.Local, Signer: signer, Bans: guard.List(), Logger: logger,
		AuthFailed: func(r *http.Request) { guard.Failed(r, origin(r)) },
		AuthOK:     func(r *http.Request) { guard.Passed(r.Context(), origin(r)) },
	})
	if err != nil {
		return nil, err
	}
	var api *server.Server // carries the pages, which ask it
	bare, err := web.New(web.Options{
		SetupCodeNeeded: func(r *http.Request) bool { return api.SetupCodeNeeded(r) },
	})
	if err != nil {
		return nil, err
	}
	people, err := pages.New(bare, pages.Options{
		Manager: r.Manager, Local: r.Local, Bans: guard.List(), Lookup: r.Lookup, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	api, err = server.New(r.Manager, server.Options{
		Local: r.Local, Onboarding: r.Store, SetupCode: code, Pages: people, WebSocket: sockets, Signer: signer,
		Redirects: &indieauth.Checker{Fetcher: &indieauth.PageFetcher{KeepFor: keepPages}}, Guard: guard,
		TrustedProxies: c.HTTP.TrustedProxies, CORSOrigins: c.HTTP.CORSAllowedOrigins, URLs: c.URLs, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &wire{http: server.HTTPServer(api, logger), sockets: sockets, limit: drainLimit, log: logger}, nil
}

// newGuard makes the guard of a configuration. Bans are kept in the store if that has a place for them, so that all nodes
// see them, else in the ban file; and failures are counted wherever logins under way are kept.
func newGuard(c config.Config, r *config.Running, logger *slog.Logger) *ban.Guard {
	o := ban.Options{Threshold: c.HTTP.LoginAttemptsThreshold, Off: c.HTTP.BansOff, Logger: logger}
	o.List = bans(c, r, logger)
	if r.Pending != nil {
		o.Counter = latchkey.NewFailureCounter(r.Pending, "bans")
	}
	return ban.NewGuard(o)
}

// bans is where the bans of a configuration are kept.
func bans(c config.Config, r *config.Running, logger *slog.Logger) ban.List {
	if shared, ok := r.Store.(ban.List); ok {
		return shared
	}
	return c.Bans(logger)
}

// origin is where the server found that a request came from.
func origin(r *http.Request) latchkey.Origin {
	o, _ := server.OriginFrom(r.Context())
	return o
}

// serve answers requests until the context ends, and then lets those that are open come to their end.
func (w *wire) serve(ctx context.Context, l net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- w.http.Serve(l) }()
	select {
	case err := <-served:
		w.drain()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	w.log.Info("stopping: nothing more is accepted, and open requests come to their end", "limit", w.limit)
	w.drain()
	<-served
	return nil
}

// drain accepts nothing more, closes the sockets and waits for open requests, no longer than the limit.
func (w *wire) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), w.limit)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- w.sockets.Shutdown(ctx) }()
	if err := w.http.Shutdown(ctx); err != nil {
		w.log.Warn("open requests were cut off", "error", errors.Join(err, w.http.Close()))
	}
	if err := <-closed; err != nil {
		w.log.Warn("open sockets were cut off", "error", err)
	}
}
