package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// childVariable makes the test program be another process at a database, instead of running the tests.
const childVariable = "LATCHKEY_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVariable); task != "" {
		if err := child(task, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// steps is how often a child counts on.
const steps = 25

// child does its task with the database, and prints what was acknowledged.
func child(task, path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	switch task {
	case "insert": // until it is killed
		for {
			u := latchkey.User{ID: latchkey.NewID(), GroupIDs: []string{latchkey.GroupUser}}
			n := latchkey.RefreshToken{
				ID: u.ID, UserID: u.ID, Type: latchkey.TokenNormal, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(),
			}
			err := s.Update(ctx, func(tx latchkey.Tx) error {
				return errors.Join(tx.InsertUser(ctx, u), tx.InsertRefreshToken(ctx, n))
			})
			if err != nil {
				return err
			}
			fmt.Println(u.ID, n.Secret.Reveal(), n.JWTKey.Reveal())
		}
	case "hold": // a change that is not finished, until it is killed
		return s.Update(ctx, func(latchkey.Tx) error {
			fmt.Println("holding")
			select {}
		})
	case "count":
		for range steps {
			if err := count(ctx, s); err != nil {
				return err
			}
		}
		return s.Close()
	}
	return fmt.Errorf("unknown task %s", task)
}

// count adds a second to the lifetime in the only token, and announces it.
func count(ctx context.Context, s *sqlite.Store) error {
	return s.Update(ctx, func(tx latchkey.Tx) error {
		n, err := tx.RefreshToken(ctx, "counter")
		if err != nil {
			return err
		}
		n.AccessTokenExpiration += time.Second
		tx.Announce(latchkey.Change{Kind: latchkey.EventUserUpdated, ID: n.AccessTokenExpiration.String()})
		return tx.UpdateRefreshToken(ctx, n)
	})
}

// start starts a child at the database.
func start(t *testing.T, task, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, path)
	cmd.Env = append(os.Environ(), childVariable+"="+task)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// spec: security.md W5, "durable before the answer": what was acknowledged is there after the process was killed, and
// nothing is there in part.
func TestKilledProcessesLoseNothing(t *testing.T) {
	path, _ := paths(t)
	acknowledged := map[string][]string{}
	for round := range 4 {
		cmd, lines := start(t, "insert", path)
		for n := 0; lines.Scan(); n++ { // what it wrote before it was killed is read to the end
			if n == 10+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if fields := strings.Fields(lines.Text()); len(fields) == 3 && len(fields[2]) == 128 {
				acknowledged[fields[0]] = fields[1:]
			}
		}
		_ = cmd.Wait() // it was killed

		s := open(t, path)
		for id, secrets := range acknowledged {
			n, err := s.RefreshTokenBySecret(t.Context(), latchkey.Secret(secrets[0]))
			if err != nil || n.ID != id || n.JWTKey.Reveal() != secrets[1] {
				t.Fatalf("round %d: acknowledged, and then lost: %s, %v", round, id, err)
			}
		}
		users, err := s.Users(t.Context(), "", 1_000_000)
		if err != nil || len(users) < len(acknowledged) {
			t.Fatalf("round %d: %d users of %d, %v", round, len(users), len(acknowledged), err)
		}
		for _, u := range users {
			tokens, err := s.RefreshTokens(t.Context(), u.ID)
			if err != nil || len(tokens) != 1 || len(u.GroupIDs) != 1 {
				t.Fatalf("round %d: half a transaction: %v, %d tokens, %v", round, u, len(tokens), err)
			}
		}
		closed(t, s)
	}
	if len(acknowledged) < 40 {
		t.Errorf("only %d were acknowledged: too few to tell", len(acknowledged))
	}
}

// Two processes and this one count in one file: nobody's step is lost, and each step is told once.
func TestProcessesShareAFile(t *testing.T) {
	path, _ := paths(t)
	s := open(t, path)
	ctx := t.Context()
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		return errors.Join(
			tx.InsertUser(ctx, latchkey.User{ID: "u"}),
			tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
				ID: "counter", UserID: "u", Type: latchkey.TokenSystem, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(),
			}))
	})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10*steps)
	defer s.Watch(func(changes []latchkey.Change) {
		for _, c := range changes {
			if c.Kind == latchkey.EventUserUpdated {
				told <- c.ID
			}
		}
	})()
	first, _ := start(t, "count", path)
	second, _ := start(t, "count", path)
	for range steps {
		if err := count(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.RefreshToken(ctx, "counter"); err != nil || n.AccessTokenExpiration != 3*steps*time.Second {
		t.Errorf("counted to %v, %v", n.AccessTokenExpiration, err)
	}
	seen := map[string]bool{}
	never := time.After(time.Minute)
	for len(seen) < 3*steps {
		select {
		case id := <-told:
			if seen[id] {
				t.Fatalf("%s was told twice", id)
			}
			seen[id] = true
		case <-never:
			t.Fatalf("only %d of %d steps were told", len(seen), 3*steps)
		}
	}
}
