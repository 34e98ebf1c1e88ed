package main

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
)

// teller is a log that waits for a word.
type teller struct {
	word string
	told func()
}

func (w teller) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.word) {
		w.told()
	}
	return len(b), nil
}

// Who starts a server that is not there yet is told what it waits for.
func TestAnOpeningThatTakesLongIsTold(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	c := config.Default()
	c.SealKey = latchkey.Secret(strings.Repeat("x", 32))
	c.Store = config.StoreAddress{Scheme: "postgres", Path: "//postgres@" + silent.Addr().String() + "/postgres?sslmode=disable"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := slog.New(slog.NewTextHandler(teller{"still being opened", cancel}, nil))
	if _, err := openToServe(ctx, c, log); err == nil || ctx.Err() == nil {
		t.Errorf("ended with %v before it was told that it takes long", err)
	}
}
