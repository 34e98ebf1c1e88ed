package pages

import (
	"errors"
	"strconv"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

const day = 24 * time.Hour

// lifespans are how many days a token can be made to last; the last is what clients of Home Assistant ask for.
func lifespans() []int { return []int{30, 90, 365, 3650} }

func tokenView(f *form) web.View {
	return web.View{Title: web.Say("tokens.create"), Data: args{"Form": f, "Lifespans": lifespans()}}
}

func (*house) describeToken(v *visit) error {
	return v.show("token.html", tokenView(newForm(map[string]string{"days": "365"})))
}

// createToken makes a token for a program and shows it, once.
func (h *house) createToken(v *visit) error {
	f := newForm(map[string]string{"name": v.text("name"), "days": v.field("days")})
	f.checkName("name")
	days, err := strconv.Atoi(f.Values["days"])
	if err != nil || days < 1 || days > lifespans()[len(lifespans())-1] {
		f.refuse("days", web.Say("problem.days", "most", lifespans()[len(lifespans())-1]))
	}
	if !f.ok() {
		return v.again("token.html", tokenView(f))
	}
	_, access, err := h.Manager.CreateLongLivedToken(v.ctx(), v.user().ID, f.Values["name"], "", time.Duration(days)*day)
	if errors.Is(err, latchkey.ErrValue) {
		f.refuse("name", web.Say("problem.token_name_taken"))
		return v.again("token.html", tokenView(f))
	} else if err != nil {
		return err
	}
	return v.show("token_made.html", web.View{
		Title: web.Say("tokens.made"), Data: args{"Name": f.Values["name"], "Token": access},
	})
}

// longLived returns the long-lived token that the address names.
func (h *house) longLived(v *visit) (latchkey.RefreshToken, error) {
	return h.tokenOf(v, v.user().ID, latchkey.TokenLongLived, v.r.PathValue("id"))
}

func (h *house) askToRemoveToken(v *visit) error {
	t, err := h.longLived(v)
	if err != nil {
		return err
	}
	return v.show("confirm.html", web.View{
		Title: web.Say("tokens.remove_title", "name", t.ClientName),
		Data:  question{Text: web.Say("tokens.remove_text"), Yes: web.Say("tokens.remove"), Back: "account#tokens"},
	})
}

func (h *house) removeToken(v *visit) error {
	t, err := h.longLived(v)
	if err != nil {
		return err
	}
	if err := h.Manager.RemoveRefreshToken(v.ctx(), t.ID); err != nil {
		return err
	}
	return v.goTo("account#tokens", "token_removed")
}

// question is asked before something is lost.
type question struct {
	Text *web.Text
	Yes  *web.Text // what the button says that does it
	No   *web.Text // what the link says that does not; nil for what such links always say
	Back string    // the page to return to, below the root
	// Danger marks what takes something from somebody else.
	Danger bool
}
