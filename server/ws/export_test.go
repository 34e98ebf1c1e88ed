package ws

import (
	"maps"
	"slices"
)

// CommandNames lists the commands that a handler serves.
func (h *Handler) CommandNames() []string { return slices.Sorted(maps.Keys(h.commands)) }
