package latchkey

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A value that was loaded before a drop and arrives after it is given to its caller, but not to those who ask later.
func TestValueOvertakenByADropIsNotKept(t *testing.T) {
	for name, drop := range map[string]func(*cache[string]){
		"drop":    func(c *cache[string]) { c.drop("k") },
		"dropAll": func(c *cache[string]) { c.dropAll() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache[string](10, nil)
			old, err := c.get(t.Context(), "k", func(context.Context, string) (string, error) {
				drop(c) // somebody changes the value while it is being read
				return "old", nil
			})
			if err != nil || *old != "old" {
				t.Fatalf("%v, %v", old, err)
			}
			got, err := c.get(t.Context(), "k", func(context.Context, string) (string, error) { return "new", nil })
			if err != nil || *got != "new" {
				t.Errorf("after the drop: %v, %v", *got, err)
			}
		})
	}
}

func TestCacheKeepsNoMoreThanItsLimit(t *testing.T) {
	c := newCache[int](100, nil)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 1000 {
				key := strconv.Itoa(worker*1000 + i)
				if v, err := c.get(context.Background(), key, func(context.Context, string) (int, error) { return i, nil }); err != nil || *v != i {
					t.Errorf("%v, %v", v, err)
				}
			}
		})
	}
	all.Wait()
	if kept := c.kept(); kept != 100 || len(c.clock) != kept {
		t.Errorf("%d kept, %d on the clock", kept, len(c.clock))
	}
}

func (c *cache[V]) kept() (n int) {
	c.entries.Range(func(any, any) bool { n++; return true })
	return n
}

// What is asked for again and again stays while a crowd of others passes by, and makes room when it is asked for no longer.
func TestCacheKeepsWhatIsAskedFor(t *testing.T) {
	c := newCache[string](100, nil)
	ask := func(key string) (loaded bool) {
		t.Helper()
		v, err := c.get(t.Context(), key, func(context.Context, string) (string, error) {
			loaded = true
			return "value of " + key, nil
		})
		if err != nil || *v != "value of "+key {
			t.Fatalf("%s: %v, %v", key, v, err)
		}
		return loaded
	}
	regular := func(n int) string { return "regular " + strconv.Itoa(n) }
	for n := range 50 {
		ask(regular(n))
	}
	for n := range 10_000 {
		ask("stranger " + strconv.Itoa(n))
		if ask(regular(n % 50)) {
			t.Fatalf("%s was let go of when %d others had come", regular(n%50), n+1)
		}
	}
	for n := range 1000 {
		ask("late " + strconv.Itoa(n))
	}
	for n := range 50 {
		if _, kept := c.entries.Load(regular(n)); kept {
			t.Errorf("%s is still kept", regular(n))
		}
	}
}

// Dropping makes room, in whatever order, and what is dropped is asked for again.
func TestCacheFindsItsWayAfterDrops(t *testing.T) {
	c := newCache[int](8, nil)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]int{} // what the store holds
	for n := range 20_000 {
		key := strconv.Itoa(random.IntN(20))
		switch random.IntN(10) {
		case 0, 1:
			want[key] = n
			c.drop(key)
		case 2:
			if random.IntN(10) == 0 {
				c.dropAll()
			}
		default:
			v, err := c.get(t.Context(), key, func(context.Context, string) (int, error) { return want[key], nil })
			if err != nil || *v != want[key] {
				t.Fatalf("step %d: %v, %v; want %d", n, *v, err, want[key])
			}
		}
		if kept := c.kept(); kept != len(c.clock) || kept > 8 {
			t.Fatalf("step %d: %d kept, %d on the clock", n, kept, len(c.clock))
		}
	}
}

// A million users pass by, and what is kept of them takes no more room than the limit allows.
func TestCacheTakesNoMoreRoomThanItsLimit(t *testing.T) {
	c := newCache[User](1000, nil)
	load := func(_ context.Context, id string) (User, error) {
		return User{ID: id, Name: Text(strings.Repeat("n", 500)), GroupIDs: []string{GroupUser}, IsActive: true}, nil
	}
	room := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := room()
	for n := range 1_000_000 {
		if _, err := c.get(t.Context(), strconv.Itoa(n), load); err != nil {
			t.Fatal(err)
		}
	}
	if grown := int64(room()) - int64(before); grown > 8<<20 { // some 700 bytes each, where all of them would be 700 MB
		t.Errorf("%d KiB for %d users", grown>>10, c.kept())
	}
	runtime.KeepAlive(c)
}

// spec: security.md 20, 21: while others cannot be heard nothing is taken from memory, and nothing is put there
func TestCacheThatIsNotTrusted(t *testing.T) {
	trusted := true
	c := newCache[int](10, func() bool { return trusted })
	stored := 1
	is := func(want int) {
		t.Helper()
		v, err := c.get(t.Context(), "k", func(context.Context, string) (int, error) { return stored, nil })
		if err != nil || *v != want {
			t.Errorf("%v, %v; want %d", *v, err, want)
		}
	}
	is(1)
	stored = 2 // by somebody who is not heard
	is(1)
	trusted = false
	is(2)
	stored = 3
	is(3)
	c.dropAll() // as the store says when it hears again
	trusted = true
	is(3)
}

func TestErrorsAreNotKept(t *testing.T) {
	c := newCache[int](10, nil)
	broken := errors.New("broken")
	if _, err := c.get(t.Context(), "k", func(context.Context, string) (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error = %v", err)
	}
	if v, err := c.get(t.Context(), "k", func(context.Context, string) (int, error) { return 1, nil }); err != nil || *v != 1 {
		t.Errorf("%v, %v", v, err)
	}
}
