package flow

import "encoding/json"

// Encode returns the JSON of a result as clients of the HTTP and the WebSocket interface read it (flows.md §6 and §7).
// The handler is what names the flow's handler there: a pair for sign-in, a plain text for setting up a second factor.
func Encode(flowID string, handler any, r Result) ([]byte, error) {
	head := envelope{FlowID: flowID, Handler: handler}
	switch r := r.(type) {
	case Form:
		head.Type = "form"
		return json.Marshal(formMessage{
			envelope: head, StepID: r.StepID, Schema: r.Schema.encode(), Errors: r.Errors, Placeholders: r.Placeholders,
		})
	case Abort:
		head.Type = "abort"
		return json.Marshal(abortMessage{envelope: head, Reason: r.Reason, Placeholders: r.Placeholders})
	case Done:
		head.Type = "create_entry"
		return json.Marshal(doneMessage{envelope: head, Version: 1, MinorVersion: 1, Fields: r.Data})
	default:
		return nil, ErrUnknownStep
	}
}

type envelope struct {
	Type    string `json:"type"`
	FlowID  string `json:"flow_id"`
	Handler any    `json:"handler"`
}

type formMessage struct {
	envelope
	StepID       string            `json:"step_id"`
	Schema       []map[string]any  `json:"data_schema"`
	Errors       map[string]string `json:"errors"`
	Placeholders map[string]string `json:"description_placeholders"`
	LastStep     *bool             `json:"last_step"`
	Preview      *string           `json:"preview"`
}

type abortMessage struct {
	envelope
	Reason       string            `json:"reason"`
	Placeholders map[string]string `json:"description_placeholders"`
}

// doneMessage carries the members of Fields beside its own: what a finished flow shows differs from flow to flow.
type doneMessage struct {
	envelope
	Version      int
	MinorVersion int
	Fields       map[string]any
}

func (m doneMessage) MarshalJSON() ([]byte, error) {
	out := map[string]any{
		"type": m.Type, "flow_id": m.FlowID, "handler": m.Handler,
		"version": m.Version, "minor_version": m.MinorVersion,
		"description": nil, "description_placeholders": nil,
	}
	for k, v := range m.Fields {
		out[k] = v
	}
	return json.Marshal(out)
}

// encode returns the serialised form of the schema; an empty schema is an empty list (flows.md §7). The presence
// members follow http-auth.md L-12 and L-18: an unmarked field has none.
func (s Schema) encode() []map[string]any {
	out := make([]map[string]any, 0, len(s))
	for _, f := range s {
		m := map[string]any{"type": f.Kind, "name": f.Name}
		if f.Kind == Select {
			options := make([][2]any, len(f.Options))
			for i, o := range f.Options {
				options[i] = [2]any{o.Value, o.Label}
			}
			m["options"] = options
		}
		switch f.Presence {
		case Required:
			m["required"] = true
		case Optional:
			m["required"], m["optional"] = false, true
		}
		if f.Default != nil {
			m["default"] = f.Default
		}
		out = append(out, m)
	}
	return out
}
