package pages

// adminRoutes are the pages for administrators.
func (h *house) adminRoutes() routes {
	return routes{
		"GET /admin/bans":  h.listBans,
		"POST /admin/bans": h.liftBan,
	}
}
