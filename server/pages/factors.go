package pages

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// factor is a second factor, and whether somebody has set it up.
type factor struct {
	ID      string
	Name    *web.Text
	Enabled bool
}

// factorsOf lists the second factors that there are, and says whether any is enabled.
func (h *house) factorsOf(v *visit, u latchkey.User) (all []factor, any bool, err error) {
	for _, module := range h.Manager.Modules() {
		enabled, err := module.IsSetUp(v.ctx(), u.ID)
		if err != nil {
			return nil, false, err
		}
		all = append(all, factor{module.ID(), h.templates.Named(module.Name()), enabled})
		any = any || enabled
	}
	return all, any, nil
}

// module returns the second factor that the address names.
func (h *house) module(v *visit) (latchkey.MFAModule, error) {
	module, ok := h.Manager.Module(v.r.PathValue("module"))
	if !ok {
		return nil, latchkey.ErrNotFound
	}
	return module, nil
}

// setUpPage is one step of the dialogue in which a second factor is set up.
type setUpPage struct {
	FlowID string
	Intro  *web.Text
	// Secret and Picture are what an authenticator app learns; empty for other factors.
	Secret  string
	Picture template.URL
	Form    *form
	Fields  []setUpField
}

// setUpField is a field of a step.
type setUpField struct {
	Name     string
	Label    *web.Text
	Options  []flow.Option // of a choice
	Optional bool
	Code     bool // a one-time code
}

// startFactor begins the dialogue.
func (h *house) startFactor(v *visit) error {
	module, err := h.module(v)
	if err != nil {
		return err
	}
	setup, result, err := h.Manager.StartSetup(v.ctx(), v.user().ID, module.ID())
	if err != nil {
		return err
	}
	return h.showStep(v, module, setup.ID, result)
}

// continueFactor takes the next step. A dialogue that ended meanwhile begins anew.
func (h *house) continueFactor(v *visit) error {
	module, err := h.module(v)
	if err != nil {
		return err
	}
	in := flow.Input{}
	for name := range v.r.PostForm {
		field, ok := strings.CutPrefix(name, "field_")
		value := v.text(name)
		if field == "code" {
			value = strings.Join(strings.Fields(value), "") // people write codes in groups
		}
		if ok && (value != "" || field == "code") { // no code is a wrong one; no input at all would begin anew
			in[field] = value
		}
	}
	hadAny, err := h.hasFactor(v.ctx(), v.user().ID)
	if err != nil {
		return err
	}
	setup, result, err := h.Manager.ContinueSetup(v.ctx(), v.user().ID, v.field("flow_id"), in)
	var misfit *flow.InvalidData
	switch {
	case errors.Is(err, flow.ErrUnknownFlow):
		return v.goTo("account/factors/"+module.ID(), "setup_restarted")
	case errors.As(err, &misfit): // something was left out: the same step again
		setup, result, err = h.Manager.ContinueSetup(v.ctx(), v.user().ID, v.field("flow_id"), nil)
	}
	if err != nil {
		return err
	}
	if _, done := result.(flow.Done); done {
		return h.factorEnabled(v, hadAny)
	}
	return h.showStep(v, module, setup.ID, result)
}

func (h *house) hasFactor(ctx context.Context, userID string) (bool, error) {
	enabled, err := h.Manager.EnabledModules(ctx, userID)
	return len(enabled) > 0, err
}

// factorEnabled goes on after a second factor was set up: with the first one to the recovery codes, else to the sessions
// elsewhere (security.md 22).
func (h *house) factorEnabled(v *visit, hadAny bool) error {
	if !hadAny {
		return v.goTo("account/recovery", "factor_on")
	}
	return v.goTo("account/others", "factor_on")
}

// showStep shows what a step of the dialogue came to.
func (h *house) showStep(v *visit, module latchkey.MFAModule, flowID string, result flow.Result) error {
	title := web.Say("factors.set_up_title", "name", h.templates.Named(module.Name()))
	step, ok := result.(flow.Form)
	if !ok {
		reason := ""
		if abort, ok := result.(flow.Abort); ok {
			reason = abort.Reason
		}
		return v.again("failed.html", web.View{Title: title, Problem: h.known("factors.abort.", reason)})
	}
	page := setUpPage{FlowID: flowID, Form: newForm(nil), Intro: intro(step)}
	if svg := step.Placeholders["qr_code"]; strings.HasPrefix(svg, "<svg ") {
		page.Secret, page.Picture = grouped(step.Placeholders["code"]), picture(svg)
	}
	for _, f := range step.Schema {
		page.Fields = append(page.Fields, setUpField{
			Name: "field_" + f.Name, Label: h.known("factors.field.", f.Name), Options: f.Options,
			Optional: f.Presence != flow.Required && f.Name != "code", Code: f.Name == "code",
		})
	}
	view := web.View{Title: title, Data: page}
	if wrong := step.Errors["base"]; wrong != "" {
		page.Form.refuse("field_code", h.known("factors.error.", wrong))
		return v.again("factor.html", view)
	}
	return v.show("factor.html", view)
}

func intro(step flow.Form) *web.Text {
	switch {
	case step.Placeholders["qr_code"] != "":
		return web.Say("factors.totp_text")
	case step.Placeholders["notify_service"] != "":
		return web.Say("factors.notify_code_text", "service", step.Placeholders["notify_service"])
	case step.StepID == flow.InitStep:
		return web.Say("factors.choose_text")
	}
	return web.Say("factors.code_text")
}

// known is a text by a key that comes from elsewhere; one that nobody has written stands for itself.
func (h *house) known(prefix, key string) *web.Text {
	if h.templates.Has(prefix + key) {
		return web.Say(prefix + key)
	}
	return web.Plain(key)
}

// grouped writes a secret in groups of four, as people type it.
func grouped(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// picture makes an address of an SVG element. As a picture it cannot do anything but be looked at.
func picture(svg string) template.URL {
	svg = strings.Replace(svg, "<svg ", `<svg xmlns="http://www.w3.org/2000/svg" `, 1)
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg)))
}

func (h *house) askToTurnOff(v *visit) error {
	module, err := h.module(v)
	if err != nil {
		return err
	}
	return v.show("confirm.html", web.View{
		Title: web.Say("factors.turn_off_title", "name", h.templates.Named(module.Name())),
		Data:  question{Text: web.Say("factors.turn_off_text"), Yes: web.Say("factors.turn_off"), Back: "account#factors"},
	})
}

func (h *house) turnOff(v *visit) error {
	module, err := h.module(v)
	if err != nil {
		return err
	}
	if err := h.Manager.DisableMFA(v.ctx(), v.user().ID, module.ID()); err != nil {
		return err
	}
	return v.goTo("account/others", "factor_off")
}

// codes are the recovery codes of somebody.
type codes struct {
	Made bool
	Left int
}

func (h *house) codesOf(v *visit, userID string) (codes, error) {
	left, made, err := h.Manager.RecoveryCodesLeft(v.ctx(), userID)
	return codes{made, left}, err
}

// offerCodes asks whether to make recovery codes.
func (h *house) offerCodes(v *visit) error {
	any, err := h.hasFactor(v.ctx(), v.user().ID)
	if err != nil {
		return err
	}
	if !any {
		return v.goTo("account#factors", "")
	}
	there, err := h.codesOf(v, v.user().ID)
	if err != nil {
		return err
	}
	q := question{Text: web.Say("recovery.offer_text"), Yes: web.Say("recovery.create"), No: web.Say("recovery.later"), Back: "account/others"}
	if there.Made {
		q = question{Text: web.Say("recovery.renew_text"), Yes: web.Say("recovery.renew"), Back: "account#factors"}
	}
	return v.show("confirm.html", web.View{Title: web.Say("recovery.title"), Data: q})
}

// makeCodes makes recovery codes in the place of those that there were, and shows them, once.
func (h *house) makeCodes(v *visit) error {
	made, err := h.Manager.CreateRecoveryCodes(v.ctx(), v.user().ID)
	if err != nil {
		return err
	}
	return v.show("codes.html", web.View{
		Title: web.Say("recovery.title"), Data: args{"Codes": made, "Plain": strings.Join(made, "\n")},
	})
}
