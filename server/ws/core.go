package ws

import "context"

// coalesce is the feature by which a client takes frames that hold several messages.
const coalesce = "coalesce_messages"

func coreCommands() []Command {
	return []Command{
		Define("ping", Anyone, ping),
		Define("supported_features", Anyone, supportedFeatures),
	}
}

// ping is answered with a message of its own kind (websocket.md §3.1).
func ping(_ context.Context, c *Call, _ None) (None, error) {
	c.replied = true
	return None{}, c.session.send(pongMessage{ID: c.ID, Type: "pong"})
}

type features struct {
	Features map[string]int64 `json:"features"`
}

// supportedFeatures replaces what is known of the client's abilities (websocket.md §3.2).
func supportedFeatures(_ context.Context, c *Call, in features) (None, error) {
	_, lists := in.Features[coalesce]
	c.session.lists.Store(lists)
	return None{}, nil
}
