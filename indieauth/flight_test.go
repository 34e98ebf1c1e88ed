package indieauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var aKey = pageKey{clientID: "http://ex.com", reach: reachInternet}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		var fetches atomic.Int32
		release := make(chan struct{})
		fetch := func(context.Context) ([]string, error) {
			fetches.Add(1)
			<-release
			return []string{"x:y"}, nil
		}
		results := make(chan []string, 5)
		for range 5 {
			go func() {
				uris, _ := p.get(t.Context(), aKey, 0, fetch)
				uris = append(uris, "appended by a caller")
				results <- uris
			}()
		}
		synctest.Wait()
		if n := fetches.Load(); n != 1 {
			t.Errorf("%d fetches under way, want 1", n)
		}
		close(release)
		for range 5 {
			if got := <-results; !slices.Equal(got, []string{"x:y", "appended by a caller"}) {
				t.Errorf("a caller got %q", got)
			}
		}
		// spec: indieauth.md, F-9: without KeepFor nothing is remembered.
		if _, err := p.get(t.Context(), aKey, 0, fetch); err != nil || fetches.Load() != 2 {
			t.Errorf("after the end: %d fetches (%v), want a second one", fetches.Load(), err)
		}
		if len(p.running) != 0 || len(p.kept) != 0 {
			t.Errorf("%d fetches and %d pages left behind", len(p.running), len(p.kept))
		}
	})
}

func TestAFetchGoesOnForThoseWhoStillWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		fetch := func(ctx context.Context) ([]string, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Second):
				return []string{"x:y"}, nil
			}
		}
		first, cancelFirst := context.WithCancel(t.Context())
		firstErr := make(chan error, 1)
		go func() {
			_, err := p.get(first, aKey, 0, fetch)
			firstErr <- err
		}()
		synctest.Wait()
		second := make(chan error, 1)
		go func() {
			uris, err := p.get(t.Context(), aKey, 0, fetch)
			if !slices.Equal(uris, []string{"x:y"}) {
				err = fmt.Errorf("got %q, %w", uris, err)
			}
			second <- err
		}()
		synctest.Wait()
		cancelFirst()
		if err := <-firstErr; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that left got %v, want context.Canceled", err)
		}
		if err := <-second; err != nil {
			t.Errorf("the caller that stayed: %v", err)
		}
	})
}

func TestAFetchThatNobodyWaitsForIsCancelledAndNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		slowEnd := make(chan struct{})
		stuck := func(ctx context.Context) ([]string, error) {
			<-ctx.Done()
			<-slowEnd
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := p.get(ctx, aKey, 0, stuck)
			left <- err
		}()
		synctest.Wait()
		cancel()
		<-left
		fresh := make(chan struct{})
		got := make(chan []string, 1)
		go func() {
			uris, _ := p.get(t.Context(), aKey, 0, func(context.Context) ([]string, error) {
				<-fresh
				return []string{"x:y"}, nil
			})
			got <- uris
		}()
		synctest.Wait()
		close(slowEnd) // the cancelled fetch ends while the new one runs
		synctest.Wait()
		if len(p.running) != 1 {
			t.Errorf("%d fetches under way, want the new one", len(p.running))
		}
		close(fresh)
		if uris := <-got; !slices.Equal(uris, []string{"x:y"}) {
			t.Errorf("the new caller got %q, want a fetch of its own", uris)
		}
	})
}

func TestPagesAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		fetches := 0
		fetch := func(context.Context) ([]string, error) {
			fetches++
			return []string{fmt.Sprint("x:", fetches)}, nil
		}
		ask := func(key pageKey, want string) {
			t.Helper()
			if uris, err := p.get(t.Context(), key, time.Minute, fetch); err != nil || !slices.Equal(uris, []string{want}) {
				t.Errorf("got %q (%v), want %q", uris, err, want)
			}
		}
		ask(aKey, "x:1")
		time.Sleep(time.Minute - 1)
		ask(aKey, "x:1")
		ask(pageKey{aKey.clientID, reachNetwork}, "x:2") // another reach, another answer
		time.Sleep(time.Nanosecond)
		ask(aKey, "x:3")
	})
}

func TestFailuresAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		broken := errors.New("broken")
		uris, err := p.get(t.Context(), aKey, time.Minute, func(context.Context) ([]string, error) { return []string{"x:y"}, broken })
		if !errors.Is(err, broken) || !slices.Equal(uris, []string{"x:y"}) {
			t.Errorf("got %q, %v; want what was found and the error", uris, err)
		}
		if _, err := p.get(t.Context(), aKey, time.Minute, func(context.Context) ([]string, error) { return nil, nil }); err != nil {
			t.Errorf("the second try got %v", err)
		}
	})
}

func TestKeptPagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pages
		fetch := func(context.Context) ([]string, error) { return nil, nil }
		key := func(i int) pageKey { return pageKey{clientID: fmt.Sprint("http://ex.com/", i)} }
		for i := range maxKept + 10 {
			if _, err := p.get(t.Context(), key(i), time.Minute, fetch); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if len(p.kept) != maxKept {
			t.Errorf("%d pages kept, want %d", len(p.kept), maxKept)
		}
		if _, ok := p.kept[key(9)]; ok {
			t.Error("an old page was kept in place of a new one")
		}
		if _, ok := p.kept[key(10)]; !ok {
			t.Error("a page was dropped while there were older ones")
		}
		time.Sleep(time.Hour)
		if _, err := p.get(t.Context(), key(-1), time.Minute, fetch); err != nil {
			t.Fatal(err)
		}
		if len(p.kept) != 1 {
			t.Errorf("%d pages kept after an hour, want the new one", len(p.kept))
		}
	})
}
