package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// What a form replaces as a whole, somebody else may have changed since the page was shown. Such a form carries a mark of
// what it showed, and where that is not how things are any more, it is shown again rather than undo what they did.
var (
	errGroupChanged  = errors.New("the group was changed since the page was shown")
	errRightsChanged = errors.New("the rights were changed since the page was shown")
	errGroupGone     = errors.New("the group was deleted since the page was shown")
)

// markOf is short, and another one for other parts.
func markOf(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// groupMark is the mark of what the editor shows of a group.
func groupMark(name, policy string) string { return markOf(name, policy) }

// rightsMark is the mark of what a user may do.
func rightsMark(groupIDs []string, localOnly bool) string {
	return markOf(append(slices.Sorted(slices.Values(groupIDs)), fmt.Sprint(localOnly))...)
}

// overtaken reports whether a form shows what is not so any more. One that wants just what there is comes too late for
// nothing, such as the second of a double click.
func overtaken(v *visit, now, wanted string) bool {
	seen := v.field("seen")
	return seen != "" && seen != now && wanted != now
}

// changedMeanwhile shows what was written for a group that was changed since. Whoever saves again means it.
func (h *house) changedMeanwhile(v *visit, g latchkey.Group, e editor) error {
	e.Seen = editing(g).Seen
	return h.edit(v, status(errGroupChanged), groupName(g), problem(errGroupChanged), e)
}

// goneMeanwhile shows what was written for a group that was deleted since, to make a new one of it.
func (h *house) goneMeanwhile(v *visit) error {
	e := typed(v, "")
	e.Seen, e.Action = "", "admin/groups/new"
	return h.edit(v, status(errGroupGone), web.Say("groups.create"), problem(errGroupGone), e)
}
