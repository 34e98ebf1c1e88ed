package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// ask posts a document for somebody behind the proxy, and returns the status and what was answered.
func (p *program) ask(from, path string, body map[string]any) (int, map[string]any) {
	p.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.address+path, bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", from)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	_ = json.NewDecoder(res.Body).Decode(&answer) // a ban says nothing
	return res.StatusCode, answer
}

// guess begins a login on one node and tries a password on the next one. It returns the status and the error of the form.
func guess(nodes []*node, n int, from, username, password string) (status int, problem any) {
	status, login := nodes[n%len(nodes)].ask(from, "/auth/login_flow", map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	if status != http.StatusOK {
		return status, nil
	}
	status, login = nodes[(n+1)%len(nodes)].ask(from, "/auth/login_flow/"+login["flow_id"].(string), map[string]any{
		"client_id": client, "username": username, "password": password,
	})
	problems, _ := login["errors"].(map[string]any)
	return status, problems["base"]
}

// spec: security.md 9 and http-auth.md §9: failures are counted by all nodes together, by account and by address
func TestGuessingIsCountedByAllNodes(t *testing.T) {
	at, nodes := threeNodes(t)
	cli(t, at, password, "user", "add", "bob", "--password-stdin")
	const stranger, another, third = "203.0.113.7", "203.0.113.8", "203.0.113.9"
	for n := range 5 { // as many as are free, in other writings of one name
		name := []string{"anna", "ANNA", "Anna"}[n%3]
		if status, problem := guess(nodes, n, stranger, name, "wrong "+password); problem != "invalid_auth" {
			t.Errorf("guess %d: %d %v", n, status, problem)
		}
	}
	for n := range 3 { // the delay doubles each time, and is then longer than the slowest machine takes for what follows
		until(t, "another password is looked at", func() bool {
			_, problem := guess(nodes, n, third, "anna", "wrong "+password)
			return problem == "invalid_auth"
		})
	}
	for n := range nodes { // also the right one, and from elsewhere: it is the account that is guessed at
		if status, problem := guess(nodes, n, another, "anna", password); problem != "too_many_attempts" {
			t.Errorf("on node %d: %d %v", n, status, problem)
		}
	}
	for n := range 3 { // the eighth failure from one address, on whichever nodes and at whichever accounts
		if status, problem := guess(nodes, n, stranger, "bob", "wrong "+password); problem != "invalid_auth" {
			t.Errorf("guess %d: %d %v", n, status, problem)
		}
	}
	for n := range nodes {
		until(t, "the address is kept out by every node", func() bool {
			status, _ := guess(nodes[n:n+1], 0, stranger, "bob", password)
			return status == http.StatusForbidden
		})
		if status, problem := guess(nodes[n:n+1], 0, another, "bob", password); status != http.StatusOK || problem != nil {
			t.Errorf("somebody else on node %d: %d %v", n, status, problem)
		}
	}
	cli(t, at, "", "ban", "lift", stranger)
	for n := range nodes {
		until(t, "the address is let in again by every node", func() bool {
			status, problem := guess(nodes[n:n+1], 0, stranger, "bob", password)
			return status == http.StatusOK && problem == nil
		})
	}
}
