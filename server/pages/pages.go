// Package pages has the pages for people who are signed in with a browser: their own account, and for administrators
// everybody's. The server has found out who they are and that a form is theirs; here it is decided what a page shows and
// which method of the manager a form stands for. What may be done, the manager decides.
package pages

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

//go:embed templates/*.html
var files embed.FS

// Bans are the addresses that are kept out.
type Bans interface {
	Bans(ctx context.Context) (map[netip.Addr]time.Time, error)
	// Lift lets an address in again, or is [latchkey.ErrNotFound].
	Lift(ctx context.Context, addr netip.Addr) error
}

// Options are what the pages are about.
type Options struct {
	// Manager is who is asked and told everything.
	Manager *latchkey.Manager
	// Local is the provider whose usernames and passwords can be changed here. It must be one of the manager's; nil leaves
	// them out.
	Local *homeassistant.Provider
	// Bans are shown and lifted; nil leaves them out.
	Bans Bans
	// Lookup knows devices and areas, for the preview of policies; nil if there are none.
	Lookup permission.Lookup
	// Logger gets what people are not told; nil for [slog.Default].
	Logger *slog.Logger
}

// Pages are all pages: those of package web, which need nobody to be signed in, and these. They implement server.Pages.
type Pages struct {
	*web.Pages
	account, admin http.Handler
	house          *house
}

// New makes the pages over those of package web. An error means that the program was built from a damaged tree, or that
// Options do not fit together.
func New(bare *web.Pages, o Options) (*Pages, error) {
	if bare == nil || o.Manager == nil {
		return nil, errors.New("pages: give the pages that web.New made, and the manager")
	}
	if o.Local != nil {
		if _, ok := o.Manager.Provider(o.Local.Key()); !ok {
			return nil, fmt.Errorf("pages: Local is not among the manager's providers, so its logins would be of no use")
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	tree, err := fs.Sub(files, "templates")
	if err != nil {
		return nil, err
	}
	templates, err := bare.Templates(tree)
	if err != nil {
		return nil, err
	}
	h := &house{Options: o, templates: templates}
	return &Pages{bare, h.mux(h.accountRoutes(), h.anyone), h.mux(h.adminRoutes(), h.adminOnly), h}, nil
}

// Account serves /account and everything below it, for who is signed in.
func (p *Pages) Account() http.Handler { return p.account }

// Admin serves everything below /admin/, for administrators. To others it says that it is not for them.
func (p *Pages) Admin() http.Handler { return p.admin }

// Refused serves, in the place of a page, why there is none, or why a form was not taken. The status says what is wrong.
func (p *Pages) Refused(status int) http.Handler {
	why := errUnreadable
	switch status {
	case http.StatusForbidden:
		why = errOutdated
	case http.StatusRequestEntityTooLarge:
		why = errFormTooLong
	case http.StatusServiceUnavailable:
		why = latchkey.ErrUnavailable
	}
	return p.house.handler(func(*visit) error { return why })
}
