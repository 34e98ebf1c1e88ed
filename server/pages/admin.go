package pages

// adminRoutes are the pages for administrators.
func (h *house) adminRoutes() routes {
	return routes{
		"GET /admin/bans":  h.listBans,
		"POST /admin/bans": h.liftBan,

		"GET /admin/groups":              h.listGroups,
		"GET /admin/groups/new":          h.describeGroup,
		"POST /admin/groups/new":         h.createGroup,
		"GET /admin/groups/check":        h.backToGroups,
		"POST /admin/groups/check":       h.check,
		"GET /admin/groups/{id}":         h.showGroup,
		"POST /admin/groups/{id}":        h.changeGroup,
		"GET /admin/groups/{id}/delete":  h.askToDeleteGroup,
		"POST /admin/groups/{id}/delete": h.deleteGroup,
	}
}
