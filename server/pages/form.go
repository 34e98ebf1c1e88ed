package pages

import (
	"errors"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// form is what stands in the fields of a form, and what is wrong with them.
type form struct {
	Values map[string]string
	Wrong  map[string]*web.Text
}

func newForm(values map[string]string) *form {
	if values == nil {
		values = map[string]string{}
	}
	return &form{Values: values, Wrong: map[string]*web.Text{}}
}

// refuse notes what is wrong with a field.
func (f *form) refuse(field string, why *web.Text) { f.Wrong[field] = why }

// ok reports whether nothing is wrong.
func (f *form) ok() bool { return len(f.Wrong) == 0 }

// maxName is how many characters a name may have.
const maxName = 200

// checkName notes what is wrong with what somebody or something is to be called.
func (f *form) checkName(field string) {
	name := f.Values[field]
	switch {
	case name == "":
		f.refuse(field, web.Say("problem.required"))
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName:
		f.refuse(field, web.Say("problem.name_too_long", "most", maxName))
	}
}

// takes notes at its field what is wrong with a username or password, and reports whether the error is about one of them.
func (f *form) takes(err error) bool {
	for _, row := range []struct {
		err        error
		field, key string
	}{
		{homeassistant.ErrUsernameTaken, "username", "username_taken"},
		{homeassistant.ErrNotNormalized, "username", "username_not_normalized"},
		{homeassistant.ErrEmptyUsername, "username", "username_empty"},
		{homeassistant.ErrUnusableUsername, "username", "username_unusable"},
		{homeassistant.ErrPasswordTooShort, "new_password", "password_short"},
		{homeassistant.ErrPasswordTooLong, "new_password", "password_long"},
		{homeassistant.ErrPasswordCommon, "new_password", "password_common"},
		{homeassistant.ErrPasswordUnusable, "new_password", "password_unusable"},
	} {
		if errors.Is(err, row.err) {
			f.refuse(row.field, web.Say("problem."+row.key))
			return true
		}
	}
	return false
}

// checkPasswords notes what is wrong with a new password that was typed twice.
func (v *visit) checkPasswords(f *form) {
	if err := homeassistant.CheckPassword(v.field("new_password")); err != nil && !f.takes(err) {
		f.refuse("new_password", problem(err))
	}
	if v.field("new_password") != v.field("repeat_password") {
		f.refuse("repeat_password", web.Say("problem.passwords_differ"))
	}
}
