package ws_test

import (
	"context"
	"fmt"

	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// A hub that embeds latchkey serves a command of its own on the same sockets.
func ExampleDefine() {
	type request struct {
		Room  string `json:"room"`
		Level *int64 `json:"level,omitzero"` // nil when it was left out
	}
	type state struct {
		Room string `json:"room"`
		On   bool   `json:"on"`
	}
	light := ws.Define("hub/light", ws.Anyone, func(_ context.Context, c *ws.Call, in request) (state, error) {
		if in.Room != "kitchen" {
			return state{}, &ws.Error{Code: ws.CodeNotFound, Message: "There is no such room"}
		}
		return state{Room: in.Room, On: in.Level == nil || *in.Level > 0}, nil
	})
	options := ws.Options{Commands: []ws.Command{light}}
	fmt.Println(len(options.Commands))
	// Output: 1
}
