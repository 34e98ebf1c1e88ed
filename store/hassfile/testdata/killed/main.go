// Command killed changes the folder that it is given, and says what is done, until it is killed. It is no part of the test's
// own binary because it starts many times, and that takes long to start with the race detector.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
)

func main() {
	fmt.Fprintln(os.Stderr, work(context.Background(), os.Args[1], os.Args[2]))
	os.Exit(1)
}

// work goes on until it fails.
func work(ctx context.Context, dir, round string) error {
	s, err := hassfile.Open(ctx, dir, hassfile.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		id := fmt.Sprint("r", round, "-", n)
		err := s.Update(ctx, func(tx latchkey.Tx) error {
			return errors.Join(
				tx.InsertUser(ctx, latchkey.User{ID: id, Credentials: []latchkey.Credentials{{
					ID: "c-" + id, Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": id},
				}}}),
				tx.InsertPassword(ctx, latchkey.Password{Username: id, Hash: "$2b$12$" + id}))
		})
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
}
