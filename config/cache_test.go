package config_test

import "testing"

func TestTheCacheHasABound(t *testing.T) {
	c := load(t, map[string]string{"latchkey.yaml": "cache_entries: '5000'\n"})
	if c.CacheEntries != 5000 {
		t.Errorf("the bound is %d", c.CacheEntries)
	}
}
