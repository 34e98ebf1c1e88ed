package main

import (
	"errors"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

type sessionCommands struct {
	List sessionList `cmd:"" help:"List the sessions of a user, or of all users."`
	End  sessionEnd  `cmd:"" help:"End sessions: whoever is signed in there has to sign in again."`
}

// tokenRow is a refresh token as its user sees it on the wire (websocket.md §5.3), with whose it is.
type tokenRow struct {
	ID           string              `json:"id"`
	UserID       string              `json:"user_id"`
	ClientID     latchkey.NullString `json:"client_id"`
	ClientName   latchkey.NullString `json:"client_name"`
	ClientIcon   latchkey.NullString `json:"client_icon"`
	Type         latchkey.TokenType  `json:"type"`
	CreatedAt    time.Time           `json:"created_at"`
	LastUsedAt   *time.Time          `json:"last_used_at"`
	LastUsedIP   latchkey.NullString `json:"last_used_ip"`
	ProviderType latchkey.NullString `json:"auth_provider_type"`
	ExpireAt     *time.Time          `json:"expire_at"`

	user string    // for people
	ends time.Time // what it was made for ends then: the access token, if it is a long-lived one
}

func tokenOf(u latchkey.User, t latchkey.RefreshToken) tokenRow {
	row := tokenRow{
		ID: t.ID, UserID: t.UserID, ClientID: t.ClientID, ClientName: orNull(t.ClientName), ClientIcon: orNull(t.ClientIcon),
		Type: t.Type, CreatedAt: t.CreatedAt.UTC(), LastUsedAt: instant(t.LastUsedAt), LastUsedIP: orNull(t.LastUsedIP),
		ExpireAt: instant(t.ExpireAt), user: label(u), ends: t.ExpireAt,
	}
	if t.Type == latchkey.TokenLongLived {
		row.ends = t.CreatedAt.Add(t.AccessTokenExpiration)
	}
	for _, c := range u.Credentials {
		if c.ID == t.CredentialID {
			row.ProviderType = latchkey.Text(c.Provider.Type)
		}
	}
	return row
}

// momentOf returns a time that there may be none of, for people.
func momentOf(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return moment(*t)
}

// listTokens lists the refresh tokens of a kind, those of one user or of all.
func listTokens(
	p *program, store storeFlags, out jsonFlag, user string, kind func(latchkey.RefreshToken) bool,
	headings []string, cells func(tokenRow) []string,
) (err error) {
	running, err := store.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	users := running.Manager.Users(p.ctx)
	if user != "" {
		u, err := userNamed(p.ctx, running, user)
		if err != nil {
			return err
		}
		users = each([]latchkey.User{u})
	}
	rows := func(yield func(tokenRow, error) bool) {
		for u, err := range users {
			if err != nil {
				yield(tokenRow{}, err)
				return
			}
			tokens, err := running.Manager.RefreshTokens(p.ctx, u.ID)
			if err != nil {
				yield(tokenRow{}, err)
				return
			}
			for _, t := range tokens {
				if kind(t) && !yield(tokenOf(u, t), nil) {
					return
				}
			}
		}
	}
	return printList(p, out, headings, "tokens", rows, cells)
}

type sessionList struct {
	storeFlags
	jsonFlag
	User string `placeholder:"USERNAME" help:"Whose sessions; everybody's unless set."`
}

func isSession(t latchkey.RefreshToken) bool { return t.Type != latchkey.TokenLongLived }

// Run lists the sessions, the oldest of each user first.
func (c *sessionList) Run(p *program) error {
	headings := []string{"ID", "USER", "CLIENT", "CREATED", "EXPIRES", "LAST USED", "FROM"}
	return listTokens(p, c.storeFlags, c.jsonFlag, c.User, isSession, headings, func(r tokenRow) []string {
		client := r.ClientID.Text
		if r.Type == latchkey.TokenSystem {
			client = "part of the system"
		}
		return []string{
			r.ID, r.user, client, moment(r.CreatedAt), moment(r.ends), momentOf(r.LastUsedAt), r.LastUsedIP.Text,
		}
	})
}

type sessionEnd struct {
	storeFlags
	yesFlag
	ID   []string `arg:"" optional:"" help:"The ids of sessions, which the list shows."`
	User string   `placeholder:"USERNAME" help:"Whose sessions, with --all."`
	All  bool     `help:"End all sessions of the user. Long-lived tokens stay."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *sessionEnd) AfterApply() error {
	if len(c.ID) > 0 == c.All || c.All != (c.User != "") {
		return errors.New("say which sessions: by their ids, or by --user with --all")
	}
	return nil
}

// Run ends the sessions; all of them once that is confirmed.
func (c *sessionEnd) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	chosen := choice{what: "session", list: "session list", ids: c.ID, user: c.User, kind: isSession}
	ask := c.yesFlag
	ask.Yes = ask.Yes || !c.All // whoever writes down an id has looked
	return chosen.end(p, running, ask, "End")
}
