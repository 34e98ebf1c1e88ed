package ban_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func from(addr string) latchkey.Origin { return latchkey.Origin{Addr: netip.MustParseAddr(addr)} }

// guard makes a guard that finds no names.
func guard(t testing.TB, o ban.Options) *ban.Guard {
	t.Helper()
	if o.LookupAddr == nil {
		o.LookupAddr = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := ban.NewGuard(o)
	t.Cleanup(g.Close)
	return g
}

func fail(t testing.TB, g *ban.Guard, times int, o latchkey.Origin) {
	t.Helper()
	for range times {
		g.Failed(httptest.NewRequest("POST", "/auth/login_flow/x?authSig=secret", nil), o)
	}
}

// spec: http-auth.md B-2, B-3, B-4, B-6
func TestTooManyFailuresBan(t *testing.T) {
	g := guard(t, ban.Options{Threshold: 3})
	fail(t, g, 2, from("203.0.113.9"))
	g.Passed(t.Context(), from("203.0.113.9"))
	fail(t, g, 2, from("203.0.113.9"))
	fail(t, g, 2, from("203.0.113.10"))
	fail(t, g, 2, from("::ffff:203.0.113.9")) // another address
	for _, a := range []string{"203.0.113.9", "203.0.113.10", "::ffff:203.0.113.9"} {
		if g.Banned(t.Context(), from(a)) {
			t.Errorf("%s is banned after two failures", a)
		}
	}
	fail(t, g, 1, from("203.0.113.9"))
	if !g.Banned(t.Context(), from("203.0.113.9")) || g.Banned(t.Context(), from("203.0.113.10")) {
		t.Error("not exactly the address with three failures in a row is banned")
	}
}

// spec: security.md W10: never a loopback or proxy address
func TestAnAddressThatMayBeAnybodysIsNeverBanned(t *testing.T) {
	list, _, _ := file(t, "127.0.0.1: {banned_at: null}\n10.0.0.2: {banned_at: null}\n203.0.113.9: {banned_at: null}\n")
	g := guard(t, ban.Options{Threshold: 1, List: list})
	for name, o := range map[string]latchkey.Origin{
		"loopback": from("127.0.0.1"), "its other form": from("::ffff:127.0.0.1"), "nobody knows": {},
		"a proxy": {Addr: netip.MustParseAddr("10.0.0.2"), Proxied: true, AtProxy: true},
		"a relay": {Addr: netip.MustParseAddr("203.0.113.9"), Tunnel: true},
	} {
		fail(t, g, 5, o)
		if g.Banned(t.Context(), o) {
			t.Errorf("%s: banned", name)
		}
	}
	if got := addresses(t, list); len(got) != 3 {
		t.Errorf("banned are %v", got)
	}
}

// spec: http-auth.md §9: below 1 nobody is ever banned; ip_ban_enabled
func TestBansCanBeSwitchedOff(t *testing.T) {
	list, _, _ := file(t, "203.0.113.1: {banned_at: null}\n")
	for threshold := -1; threshold < 1; threshold++ {
		g := guard(t, ban.Options{Threshold: threshold, List: list})
		fail(t, g, 100, from("203.0.113.9"))
		if g.Banned(t.Context(), from("203.0.113.9")) || !g.Banned(t.Context(), from("203.0.113.1")) {
			t.Errorf("threshold %d: not exactly the listed address is banned", threshold)
		}
	}
	g := guard(t, ban.Options{Threshold: 1, List: list, Off: true})
	fail(t, g, 2, from("203.0.113.9"))
	if g.Banned(t.Context(), from("203.0.113.9")) || g.Banned(t.Context(), from("203.0.113.1")) {
		t.Error("banned although bans are off")
	}
}

func TestALiftedBanEndsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _, _ := file(t, "")
		g := guard(t, ban.Options{Threshold: 3, List: list})
		fail(t, g, 3, from("203.0.113.9"))
		if !g.Banned(t.Context(), from("203.0.113.9")) {
			t.Fatal("not banned")
		}
		if err := list.Lift(t.Context(), stranger); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		fail(t, g, 2, from("203.0.113.9")) // and the row begins anew
		if g.Banned(t.Context(), from("203.0.113.9")) {
			t.Error("still banned")
		}
		synctest.Wait()
	})
}

// brokenList can neither be read nor written once it broke.
type brokenList struct {
	ban.List
	broken bool
}

var errDisk = errors.New("disk full")

func (l *brokenList) Bans(ctx context.Context) (map[netip.Addr]time.Time, error) {
	if l.broken {
		return nil, errDisk
	}
	return l.List.Bans(ctx)
}

func (l *brokenList) Ban(context.Context, netip.Addr, time.Time) error { return errDisk }

func TestAListThatBrokeStillCountsAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _, _ := file(t, "203.0.113.1: {banned_at: null}\n")
		var log bytes.Buffer
		broken := &brokenList{List: list}
		g := guard(t, ban.Options{Threshold: 1, List: broken, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		g.Banned(t.Context(), from("203.0.113.1"))
		broken.broken = true
		time.Sleep(time.Minute)
		if !g.Banned(t.Context(), from("203.0.113.1")) {
			t.Error("the ban is gone with the list")
		}
		fail(t, g, 1, from("203.0.113.9"))
		synctest.Wait()
		if strings.Count(log.String(), errDisk.Error()) != 2 {
			t.Errorf("the log says %q", &log)
		}
	})
}

// farList is a list that is asked over a network.
type farList struct{ ban.List }

func (l farList) Bans(ctx context.Context) (map[netip.Addr]time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.List.Bans(ctx)
}

// Whoever is banned does not get in by hanging up while the list is read, nor keeps others from being banned.
func TestHangingUpIsNoWayAroundTheList(t *testing.T) {
	list, _, _ := file(t, "203.0.113.9: {banned_at: null}\n")
	g := guard(t, ban.Options{List: farList{list}})
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if !g.Banned(ctx, from("203.0.113.9")) {
		t.Error("let in although banned")
	}
}

// spec: http-auth.md B-1
func TestAFailureIsLogged(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	g := guard(t, ban.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		LookupAddr: func(context.Context, string) ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			return []string{"stranger.example."}, nil
		},
	})
	r := httptest.NewRequest("POST", "/auth/login_flow/x?authSig=secret", nil)
	r.Header.Set("User-Agent", "curl")
	g.Failed(r, from("203.0.113.9"))
	g.Close()
	for _, want := range []string{"level=WARN", "203.0.113.9", "name=stranger.example ", "/auth/login_flow/x", "user_agent=curl"} {
		if !strings.Contains(strings.ReplaceAll(log.String(), "\n", " "), want) {
			t.Errorf("the log says %q without %q", &log, want)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log tells a secret: %q", &log)
	}
}

// Whoever fails does not choose how long the log gets.
func TestAFailureIsLoggedBriefly(t *testing.T) {
	var log bytes.Buffer
	g := guard(t, ban.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	r := httptest.NewRequest("POST", "/auth/login_flow/"+strings.Repeat("ü", 10_000), nil)
	r.Header.Set("User-Agent", strings.Repeat("\x01", 20_000))
	g.Failed(r, from("203.0.113.9"))
	g.Close()
	if log.Len() == 0 || log.Len() > 2000 {
		t.Errorf("%d bytes are logged", log.Len())
	}
}

// Requests that outlive the server's end go on failing while the guard is closed, and are logged all the same.
func TestFailuresBesideAndBehindTheEnd(t *testing.T) {
	log := &counted{}
	g := guard(t, ban.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { g.Failed(httptest.NewRequest("GET", "/api/", nil), from("203.0.113.9")) })
	}
	g.Close()
	all.Wait()
	g.Failed(httptest.NewRequest("GET", "/api/", nil), from("203.0.113.9"))
	if n := log.lines.Load(); n != 51 {
		t.Errorf("%d failures are logged", n)
	}
}

// counted counts what is written to it.
type counted struct{ lines atomic.Int32 }

func (c *counted) Write(b []byte) (int, error) {
	c.lines.Add(1)
	return len(b), nil
}

func BenchmarkBanned(b *testing.B) {
	list, path, _ := file(b, "")
	var text strings.Builder
	for n := range 10_000 {
		text.WriteString(netip.AddrFrom4([4]byte{198, 51, byte(n / 250), byte(n % 250)}).String() + ": {banned_at: null}\n")
	}
	write(b, path, text.String())
	g := guard(b, ban.Options{Threshold: 5, List: list})
	o := from("203.0.113.9")
	g.Banned(b.Context(), o)
	b.ReportAllocs()
	for b.Loop() {
		if g.Banned(b.Context(), o) {
			b.Fatal("banned")
		}
	}
}
