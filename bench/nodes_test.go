package bench_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// nodes opens several nodes on one PostgreSQL, which LATCHKEY_BENCH_POSTGRES names: an empty database that is filled with
// what the benchmark makes.
func nodes(b *testing.B, n int) (managers []*latchkey.Manager, stores []*postgres.Store) {
	b.Helper()
	address := os.Getenv("LATCHKEY_BENCH_POSTGRES")
	if address == "" {
		b.Skip("set LATCHKEY_BENCH_POSTGRES to the address of an empty database")
	}
	for range n {
		s, err := postgres.Open(b.Context(), address, postgres.WithSealKey([]byte(strings.Repeat("k", 32))), postgres.WithLogger(quiet()))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		m, err := latchkey.New(s, latchkey.Options{Pending: s.Pending(), Logger: quiet()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(m.Close)
		managers, stores = append(managers, m), append(stores, s)
	}
	return managers, stores
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// session makes a user with a refresh token.
func session(b *testing.B, m *latchkey.Manager) (latchkey.RefreshToken, string) {
	b.Helper()
	u, err := m.CreateUser(b.Context(), latchkey.NewUser{Name: latchkey.Text("Bench")})
	if err != nil {
		b.Fatal(err)
	}
	return token(b, m, u.ID)
}

func token(b *testing.B, m *latchkey.Manager, userID string) (latchkey.RefreshToken, string) {
	b.Helper()
	t, err := m.CreateRefreshToken(b.Context(), latchkey.NewRefreshToken{UserID: userID, ClientID: latchkey.Text("https://app.example/")})
	if err != nil {
		b.Fatal(err)
	}
	access, err := m.CreateAccessToken(b.Context(), t.ID, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		b.Fatal(err)
	}
	return t, access
}

// From the moment at which one node has acknowledged a revocation until another refuses the token that it had in memory.
func BenchmarkRevokeToRefused(b *testing.B) {
	m, _ := nodes(b, 2)
	first, _ := session(b, m[0])
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		t, access := token(b, m[0], first.UserID)
		if _, err := m[1].ValidateAccessToken(b.Context(), access); err != nil {
			b.Fatal(err)
		}
		if err := m[0].RemoveRefreshToken(b.Context(), t.ID); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		for {
			if _, err := m[1].ValidateAccessToken(b.Context(), access); err != nil {
				break
			}
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// Requests a second that one and three nodes answer, all on this machine and driven from it: a look at a token that is in
// memory, and a refresh, which is written durably.
func BenchmarkRequests(b *testing.B) {
	for _, count := range []int{1, 3} {
		managers, _ := nodes(b, count)
		refresh, access := session(b, managers[0])
		var urls []string
		for _, m := range managers {
			api, err := server.New(m, server.Options{Logger: quiet()})
			if err != nil {
				b.Fatal(err)
			}
			listener := httptest.NewServer(api)
			b.Cleanup(listener.Close)
			urls = append(urls, listener.URL)
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		for name, ask := range map[string]func(ctx context.Context, at string) (*http.Request, error){
			"api": func(ctx context.Context, at string) (*http.Request, error) {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/api/", nil)
				r.Header.Set("Authorization", "Bearer "+access)
				return r, err
			},
			"refresh": func(ctx context.Context, at string) (*http.Request, error) {
				own, _ := token(b, managers[0], refresh.UserID)
				form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"https://app.example/"}, "refresh_token": {own.Secret.Reveal()}}
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/auth/token", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				return r, err
			},
		} {
			b.Run(fmt.Sprintf("%s/nodes=%d", name, count), func(b *testing.B) {
				var next atomic.Int64
				b.SetParallelism(8)
				b.RunParallel(func(p *testing.PB) {
					at := urls[int(next.Add(1))%len(urls)]
					r, err := ask(b.Context(), at)
					if err != nil {
						b.Error(err)
						return
					}
					for p.Next() {
						again := r.Clone(b.Context())
						if r.GetBody != nil {
							again.Body, _ = r.GetBody()
						}
						res, err := client.Do(again)
						if err != nil || res.StatusCode != http.StatusOK {
							b.Errorf("%v, %v", res, err)
							return
						}
						_ = res.Body.Close()
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			})
		}
	}
}
