package ws_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// pin is a second factor in memory: whoever knows 1234 sets it up.
type pin struct {
	id, name string
	mu       sync.Mutex
	has      map[string]bool
}

func newPin(id, name string) *pin { return &pin{id: id, name: name, has: map[string]bool{}} }

func (p *pin) ID() string          { return p.id }
func (p *pin) Name() string        { return p.name }
func (p *pin) MaxRetries() int     { return 3 }
func (p *pin) Schema() flow.Schema { return p.form(nil).Schema }

func (p *pin) form(errors map[string]string) flow.Form {
	return flow.Form{StepID: flow.InitStep, Errors: errors,
		Schema: flow.Schema{{Name: "code", Kind: flow.String, Presence: flow.Required}}}
}

func (p *pin) IsSetUp(_ context.Context, userID string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.has[userID], nil
}

func (p *pin) SetUp(_ context.Context, userID string, _ map[string]any) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has[userID] = true
	return nil, nil
}

func (p *pin) Depose(_ context.Context, userID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.has, userID)
	return nil
}

func (p *pin) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	switch {
	case in == nil:
		return s, p.form(flow.NoErrors()), nil
	case in.Text("code") == "0000":
		return s, flow.Abort{Reason: "gave_up"}, nil
	case in.Text("code") != "1234":
		return s, p.form(flow.BaseError("invalid_code")), nil
	}
	_, err := p.SetUp(ctx, u.ID, nil)
	return s, flow.Done{Data: map[string]any{"result": nil}}, err
}

func (p *pin) Challenge(context.Context, string) (json.RawMessage, error) { return nil, nil }

func (p *pin) Verify(_ context.Context, _ string, _ json.RawMessage, in flow.Input) (bool, error) {
	return in.Text("code") == "1234", nil
}

// spec: websocket.md §5.8, "A-14", "A-15", "A-17", "A-18", "A-19"
func TestSetUpMFA(t *testing.T) {
	h := newHouse(t, houseOptions{modules: []latchkey.MFAModule{newPin("pin", "PIN")}})
	c, other := h.connect(t, h.anna), h.connect(t, h.person(t, "ben"))
	id := 0
	message := func(fields string) string {
		id++
		return `{"id":` + number(id) + `,"type":"auth/setup_mfa"` + fields + `}`
	}
	c.refused(message(``), "invalid_format", "")
	c.refused(message(`,"mfa_module_id":"pin","flow_id":"x"`), "invalid_format", "")
	c.refused(message(`,"mfa_module_id":"nope"`), "no_module", "MFA module nope is not found")
	c.refused(message(`,"flow_id":"nope"`), "unknown_error", "Unknown error")

	form := func(flowID, errors string) string {
		return `{"type":"form","flow_id":"` + flowID + `","handler":"pin","step_id":"init",
			"data_schema":[{"type":"string","name":"code","required":true}],"errors":` + errors + `,
			"description_placeholders":null,"last_step":null,"preview":null}`
	}
	begin := func() string {
		raw := c.succeed(message(`,"mfa_module_id":"pin"`))
		flowID := decode[struct {
			FlowID string `json:"flow_id"`
		}](t, raw).FlowID
		sameJSON(t, raw, form(flowID, `{}`))
		return flowID
	}
	flowID := begin()
	step := func(input string) string { return message(`,"flow_id":"` + flowID + `","user_input":` + input) }
	sameJSON(t, c.succeed(step(`{"code":"9"}`)), form(flowID, `{"base":"invalid_code"}`))
	sameJSON(t, c.succeed(step(`null`)), form(flowID, `{}`))
	sameJSON(t, c.succeed(message(`,"flow_id":"`+flowID+`"`)), form(flowID, `{}`))
	for _, bad := range []string{`{}`, `{"code":1}`, `{"code":"1","x":1}`, `5`, `[]`, `"1234"`} {
		c.refused(step(bad), "invalid_format", "") // and the flow stays as it was
	}
	other.refused(`{"id":1,"type":"auth/setup_mfa","flow_id":"`+flowID+`","user_input":{"code":"1234"}}`, "unknown_error", "Unknown error")
	sameJSON(t, c.succeed(step(`{"code":"1234"}`)), `{"type":"create_entry","flow_id":"`+flowID+`","handler":"pin","version":1,
		"minor_version":1,"data":{"result":null},"description":null,"description_placeholders":null,"context":{}}`)
	c.refused(step(`{"code":"1234"}`), "unknown_error", "Unknown error")
	if raw := c.succeed(message(``)[:len(`{"id":`)+len(number(id))] + `,"type":"auth/current_user"}`); !strings.Contains(string(raw), `"enabled":true`) {
		t.Errorf("%s", raw)
	}
	flowID = begin()
	sameJSON(t, c.succeed(step(`{"code":"0000"}`)),
		`{"type":"abort","flow_id":"`+flowID+`","handler":"pin","reason":"gave_up","description_placeholders":null}`)
}

// spec: websocket.md §5.9
func TestDeposeMFA(t *testing.T) {
	h := newHouse(t, houseOptions{modules: []latchkey.MFAModule{newPin("pin", "PIN")}})
	c := h.connect(t, h.anna)
	if err := h.EnableMFA(t.Context(), h.anna.ID, "pin", nil); err != nil {
		t.Fatal(err)
	}
	for id := range 2 { // also when it was not set up
		sameJSON(t, c.succeed(`{"id":`+number(id+1)+`,"type":"auth/depose_mfa","mfa_module_id":"pin"}`), `"done"`)
		if enabled, err := h.EnabledModules(t.Context(), h.anna.ID); err != nil || len(enabled) != 0 {
			t.Error(enabled, err)
		}
	}
	c.refused(`{"id":3,"type":"auth/depose_mfa","mfa_module_id":"nope"}`, "disable_failed",
		"Cannot disable MFA Module nope: Unable find multi-factor auth module: nope")
}
