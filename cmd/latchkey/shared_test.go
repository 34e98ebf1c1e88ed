package main

import (
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func TestNodesShareTheirSecrets(t *testing.T) {
	nodes := latchkey.NewMemoryPending()
	first, err := shared(t.Context(), nodes, "x", "one", time.Hour)
	if err != nil || first.Reveal() != "one" {
		t.Fatal(first.Reveal(), err)
	}
	second, err := shared(t.Context(), nodes, "x", "two", time.Hour)
	if err != nil || second.Reveal() != "one" {
		t.Errorf("the second node has %q, %v", second.Reveal(), err)
	}
	other, err := shared(t.Context(), nodes, "y", "two", time.Hour)
	if err != nil || other.Reveal() != "two" {
		t.Errorf("another secret is %q, %v", other.Reveal(), err)
	}
	alone, err := shared(t.Context(), nil, "x", "own", time.Hour)
	if err != nil || alone.Reveal() != "own" {
		t.Errorf("a node that is alone has %q, %v", alone.Reveal(), err)
	}
}
