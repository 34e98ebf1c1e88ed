package ws_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/server/ban"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// Every command has a heading in docs/websocket.md, and a session that uses it.
func TestTheReferenceKnowsEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/websocket.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, houseOptions{logins: true, ws: ws.Options{
		Signer: &notary{}, Bans: ban.NewFile(filepath.Join(t.TempDir(), ban.FileName), nil),
	}})
	names := h.handler.CommandNames()
	for _, name := range names {
		if !strings.Contains(string(text), "\n### `"+name+"`\n") {
			t.Errorf("%s has no heading in the reference", name)
		}
		if !strings.Contains(string(text), `"type":"`+name+`"`) {
			t.Errorf("%s is shown by no session of the reference", name)
		}
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### `"); ok && !slices.Contains(names, strings.Trim(name, "`")) {
			t.Errorf("%s is in the reference only", name)
		}
	}
}
