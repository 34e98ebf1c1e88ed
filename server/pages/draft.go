package pages

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// draft is a policy as somebody wrote it.
type draft struct {
	Text string
	// Policy is what the text says, if that is sound.
	Policy permission.Policy
	// Complaints are what is wrong with it in the order of the lines, More how many there are beyond those.
	Complaints []complaint
	More       int
}

// complaint is one thing that is wrong with a policy.
type complaint struct {
	Line  int
	Where []string // the keys that lead to it; none for what is no JSON
	What  *web.Text
}

// maxComplaints is how many are listed. Whoever has mended these will see the others.
const maxComplaints = 100

// readDraft reads what was typed into an editor, where lines end as browsers send them.
func readDraft(text string) draft {
	d := draft{Text: strings.ReplaceAll(text, "\r\n", "\n")}
	var policy permission.Policy
	if err := policy.UnmarshalJSON([]byte(d.Text)); err != nil {
		d.Complaints = []complaint{unreadable(d.Text, err)}
		return d
	}
	at, complaints := readPlaces(d.Text)
	var wrong *permission.ValidationError
	if errors.As(policy.Validate(), &wrong) {
		for _, p := range wrong.Problems {
			complaints = append(complaints, complaint{at.line(p.Path), p.Path, inWords(p)})
		}
	}
	if len(complaints) == 0 {
		d.Policy = policy
		return d
	}
	slices.SortStableFunc(complaints, func(a, b complaint) int { return cmp.Compare(a.Line, b.Line) })
	shown := min(len(complaints), maxComplaints)
	d.Complaints, d.More = complaints[:shown], len(complaints)-shown
	return d
}

// ok reports whether the policy can be given to a group.
func (d draft) ok() bool { return len(d.Complaints) == 0 }

// inWords says what is wrong with a policy, and what may stand there instead.
func inWords(p permission.Problem) *web.Text {
	switch p.Fault {
	case permission.NotAnObject:
		return web.Say("groups.fault_object")
	case permission.UnknownKey:
		return web.Say("groups.fault_key", "key", p.Path[len(p.Path)-1], "known", strings.Join(p.Known, ", "))
	case permission.NoGrant:
		return web.Say("groups.fault_grant")
	case permission.NotTrue:
		return web.Say("groups.fault_true")
	}
	return web.Plain(p.Text + "; " + p.Advice)
}

// unreadable says why a text is no JSON.
func unreadable(text string, err error) complaint {
	var syntax *permission.SyntaxError
	if !errors.As(err, &syntax) {
		return complaint{1, nil, web.Plain(err.Error())}
	}
	return complaint{syntax.Line, nil, whyUnreadable(text, syntax)}
}

func whyUnreadable(text string, e *permission.SyntaxError) *web.Text {
	switch {
	case strings.TrimSpace(text) == "":
		return web.Say("groups.syntax_empty")
	case errors.Is(e, io.ErrUnexpectedEOF):
		return web.Say("groups.syntax_end")
	case errors.Is(e, permission.ErrTrailing):
		return web.Say("groups.syntax_more")
	}
	found := characterAt(text, e.Line, e.Column)
	if strings.ContainsAny(found, "“”„‟«»‘’‚'`") { // telephones put them in
		return web.Say("groups.syntax_quotes", "found", found)
	}
	for _, row := range []struct{ says, key string }{
		{"looking for beginning of object key", "groups.syntax_name"},
		{"after object key:value pair", "groups.syntax_comma"},
		{"after array element", "groups.syntax_comma"},
		{"after object key", "groups.syntax_colon"},
		{"looking for beginning of value", "groups.syntax_value"},
	} {
		if strings.Contains(e.Cause.Error(), row.says) {
			return web.Say(row.key, "found", found)
		}
	}
	return web.Say("groups.syntax_other", "found", found, "text", e.Cause)
}

// characterAt returns the character at a place that counts from 1.
func characterAt(text string, line, column int) string {
	for n := 1; n < line; n++ {
		_, text, _ = strings.Cut(text, "\n")
	}
	column--
	for _, c := range text {
		if column == 0 {
			return string(c)
		}
		column--
	}
	return ""
}

// places are where the keys of an object stand.
type places struct {
	at    int // the line
	below map[string]*places
}

// line is where the value that the keys lead to stands, as nearly as is known.
func (p *places) line(path []string) int {
	at := p.at
	for _, key := range path {
		if p = p.below[key]; p == nil {
			break
		}
		at = p.at
	}
	return at
}

// readPlaces finds the lines in a text that is JSON, and the keys that stand twice. Of such only the last would count, and
// the first be lost without a word.
func readPlaces(text string) (*places, []complaint) {
	r := placeReader{text: []byte(text), decoder: json.NewDecoder(strings.NewReader(text)), line: 1}
	top := &places{at: 1}
	r.value(top)
	return top, r.twice
}

type placeReader struct {
	text    []byte
	decoder *json.Decoder
	read    int64 // up to here lines are counted
	line    int
	path    []string
	twice   []complaint
}

// value reads what stands at a place. The text was read before, so that it is neither too deep nor wrong.
func (r *placeReader) value(p *places) {
	token, err := r.decoder.Token()
	if delim, ok := token.(json.Delim); err != nil || !ok || delim != '{' && delim != '[' {
		return
	}
	p.below = map[string]*places{}
	for r.decoder.More() {
		if token == json.Delim('[') {
			r.value(&places{})
			continue
		}
		key, err := r.decoder.Token()
		if err != nil {
			return
		}
		r.key(p, key.(string)) // the name of a member is always a text
	}
	_, _ = r.decoder.Token() // the end
}

// key reads a member of the object at a place.
func (r *placeReader) key(p *places, key string) {
	now := r.decoder.InputOffset()
	r.line += bytes.Count(r.text[r.read:now], []byte("\n"))
	r.read = now
	r.path = append(r.path, key)
	if p.below[key] != nil {
		r.twice = append(r.twice, complaint{r.line, slices.Clone(r.path), web.Say("groups.fault_twice", "key", key)})
	}
	p.below[key] = &places{at: r.line}
	r.value(p.below[key])
	r.path = r.path[:len(r.path)-1]
}
