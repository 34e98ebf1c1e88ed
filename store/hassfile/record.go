package hassfile

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// record reads the members of one object of a file. What is wrong first stays in err.
type record struct {
	file string
	// list and number are where the record stands: in a list of that name, or in none.
	list   string
	number int
	*object
	token *tokenEntry // instead of the object, for a token that is known already
	err   error

	next  int    // where the next member is looked for first: files keep their order
	asked uint64 // which of the first 64 members were asked for
	later []int  // which of the others
}

// place names the record in errors.
func (r *record) place() string {
	if r.list == "" {
		return "data"
	}
	return fmt.Sprintf("data.%s[%d]", r.list, r.number)
}

func (r *record) fail(key, format string, args ...any) {
	if r.err == nil {
		field := r.place()
		if key != "" {
			field += "." + key
		}
		r.err = &fileError{r.file, field, fmt.Errorf(format, args...)}
	}
}

// get returns a member, and whether there is one.
func (r *record) get(key string) (any, bool) {
	for n := range r.members {
		i := (r.next + n) % len(r.members)
		if r.members[i].key != key {
			continue
		}
		if r.next = i + 1; i < 64 {
			r.asked |= 1 << i
		} else {
			r.later = append(r.later, i)
		}
		return r.members[i].value, true
	}
	return nil, false
}

// rest returns the members that nobody asked for: what latchkey does not know. It is nil for nearly all records.
func (r *record) rest() []member {
	var rest []member
	for i, m := range r.members {
		known := i < 64 && r.asked&(1<<i) != 0
		for _, other := range r.later {
			known = known || other == i
		}
		if !known {
			rest = append(rest, m)
		}
	}
	return rest
}

// inOrder reports whether the record begins with these members, as one that we write does.
func (r *record) inOrder(keys ...string) bool {
	if len(r.members) < len(keys) {
		return false
	}
	for i, key := range keys {
		if r.members[i].key != key {
			return false
		}
	}
	return true
}

// must returns a member that has to be there.
func (r *record) must(key string) any {
	v, ok := r.get(key)
	if !ok {
		r.fail(key, "it is missing")
	}
	return v
}

func (r *record) text(key string) string {
	s, ok := r.must(key).(string)
	if !ok {
		r.fail(key, "a text is expected")
	}
	return s
}

// id reads what a record is found by.
func (r *record) id(key string) string {
	s := r.text(key)
	if s == "" {
		r.fail(key, "it is empty")
	}
	return s
}

// nullable reads a text or null; absent is null, unless it is required.
func (r *record) nullable(key string, required bool) latchkey.NullString {
	v, ok := r.get(key)
	if !ok && required {
		r.fail(key, "it is missing")
	}
	if v == nil {
		return latchkey.NullString{}
	}
	s, ok := v.(string)
	if !ok {
		r.fail(key, "a text or null is expected")
	}
	return latchkey.Text(s)
}

func (r *record) flag(key string, required bool) bool {
	v, ok := r.get(key)
	if !ok && required {
		r.fail(key, "it is missing")
	}
	if v == nil && !required {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.fail(key, "true or false is expected")
	}
	return b
}

// records reads a list of objects of the data.
func (r *record) records(key string, required bool) []record {
	v, ok := r.get(key)
	if !ok && !required {
		return nil
	}
	all, ok := v.([]any)
	if !ok {
		r.fail(key, "a list is expected")
		return nil
	}
	records := make([]record, len(all))
	for i, each := range all {
		o, ok := each.(*object)
		token, known := each.(*tokenEntry)
		if !ok && !known {
			r.fail(fmt.Sprintf("%s[%d]", key, i), "an object is expected")
			return nil
		}
		if known && key != tokensKey { // what looks like a token is something else here
			again, _ := parseJSON(string(token.text)) // which was read before
			o, token = again.(*object), nil
		}
		records[i] = record{file: r.file, list: key, number: i, object: o, token: token}
	}
	return records
}

// texts reads a list of texts.
func (r *record) texts(key string) []string {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	all, ok := v.([]any)
	if !ok {
		r.fail(key, "a list is expected")
		return nil
	}
	var texts []string
	for _, each := range all {
		s, ok := each.(string)
		if !ok {
			r.fail(key, "a list of texts is expected")
			return nil
		}
		texts = append(texts, strings.Clone(s))
	}
	return texts
}

// seconds reads a duration. One that is too long for us is the longest that there is, and whole is how it stands in the file.
func (r *record) seconds(key string) (d time.Duration, whole json.Number) {
	n, ok := r.must(key).(json.Number)
	f, err := n.Float64()
	if !ok || err != nil {
		r.fail(key, "a number of seconds is expected")
		return 0, ""
	}
	const most = float64(math.MaxInt64) / float64(time.Second)
	switch {
	case f >= most:
		return math.MaxInt64, json.Number(strings.Clone(n.String()))
	case f <= -most:
		return math.MinInt64, json.Number(strings.Clone(n.String()))
	}
	return time.Duration(math.Round(f*1e6)) * time.Microsecond, ""
}

// own gives texts memory of their own: what the domain keeps shall not keep the text of a whole file in memory.
func own(texts ...*string) {
	size := 0
	for _, t := range texts {
		size += len(*t)
	}
	var b strings.Builder
	b.Grow(size)
	for _, t := range texts {
		b.WriteString(*t)
	}
	whole, at := b.String(), 0
	for _, t := range texts {
		n := len(*t)
		*t = whole[at : at+n]
		at += n
	}
}
