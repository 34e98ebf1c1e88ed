package pages

import (
	"maps"
	"slices"
)

// Routes lists what can be asked for, as in "GET /account/name".
func Routes() []string {
	var h house
	return slices.Concat(slices.Sorted(maps.Keys(h.accountRoutes())), slices.Sorted(maps.Keys(h.adminRoutes())))
}
