package latchkey

import (
	"context"
	"errors"
	"strconv"
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
	kept := 0
	c.entries.Range(func(any, any) bool { kept++; return true })
	if kept > 100 || int64(kept) != c.size.Load() {
		t.Errorf("%d kept, counted %d", kept, c.size.Load())
	}
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
