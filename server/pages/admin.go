package pages

// adminRoutes are the pages for administrators.
func (h *house) adminRoutes() routes {
	return routes{
		"GET /admin/users":                             h.listUsers,
		"GET /admin/users/new":                         h.describeUser,
		"POST /admin/users/new":                        h.createUser,
		"GET /admin/users/{id}":                        h.anybody(h.showUser),
		"GET /admin/users/{id}/name":                   h.anybody(h.backToUser),
		"POST /admin/users/{id}/name":                  h.person(h.renameUser),
		"GET /admin/users/{id}/rights":                 h.anybody(h.backToUser),
		"POST /admin/users/{id}/rights":                h.person(h.changeRights),
		"GET /admin/users/{id}/activate":               h.anybody(h.backToUser),
		"POST /admin/users/{id}/activate":              h.person(h.activateUser),
		"GET /admin/users/{id}/deactivate":             h.person(h.askToDeactivate),
		"POST /admin/users/{id}/deactivate":            h.person(h.deactivateUser),
		"GET /admin/users/{id}/delete":                 h.person(h.askToDelete),
		"POST /admin/users/{id}/delete":                h.person(h.deleteUser),
		"GET /admin/users/{id}/username":               h.keys(h.editUsername),
		"POST /admin/users/{id}/username":              h.keys(h.changeUsername),
		"GET /admin/users/{id}/login":                  fresh(h.keys(h.describeLogin)),
		"POST /admin/users/{id}/login":                 fresh(h.keys(h.addLogin)),
		"GET /admin/users/{id}/password":               fresh(h.keys(h.describePassword)),
		"POST /admin/users/{id}/password":              fresh(h.keys(h.resetPassword)),
		"GET /admin/users/{id}/factors":                fresh(h.keys(h.askToResetFactors)),
		"POST /admin/users/{id}/factors":               fresh(h.keys(h.resetFactors)),
		"GET /admin/users/{id}/sessions":               h.person(h.listSessions),
		"POST /admin/users/{id}/sessions":              h.person(h.endSessionOf),
		"GET /admin/users/{id}/sessions/all":           h.person(h.askToEndSessions),
		"POST /admin/users/{id}/sessions/all":          h.person(h.endSessionsOf),
		"GET /admin/users/{id}/tokens/{token}/remove":  h.person(h.askToRemoveTokenOf),
		"POST /admin/users/{id}/tokens/{token}/remove": h.person(h.removeTokenOf),

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
