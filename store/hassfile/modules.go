package hassfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

// checkModule says what is wrong with an entry of a second factor's file.
func checkModule(id string, v any) error {
	switch id {
	case "totp":
		if _, ok := v.(string); !ok {
			return errors.New("a secret is expected, as a text")
		}
	case "notify":
		o, ok := v.(*object)
		if !ok {
			return errors.New("an object is expected")
		}
		for _, key := range []string{"notify_service", "target"} {
			if value, _ := o.get(key); value != nil {
				if _, ok := value.(string); !ok {
					return fmt.Errorf("%s: a text or null is expected", key)
				}
			}
		}
	}
	return nil
}

// The members of our own file that say how to put an entry together.
const (
	ofKey  = "of"  // the mark of the secret that the rest belongs to
	rawKey = "raw" // the whole, in base64: Home Assistant's file has no part in it
)

// join returns what a module wrote, out of what Home Assistant's file holds and what ours does. What ours says belongs to
// the secret that it was written with: Home Assistant may have given the person another one since.
func (m *moduleTable) join(id, userID string) ([]byte, bool) {
	known, inFile := m.known[userID]
	ours := m.ours[userID]
	if !inFile {
		raw, _ := ours.get(rawKey)
		text, ok := raw.(string)
		if !ok {
			return nil, false
		}
		data, err := base64.StdEncoding.DecodeString(text)
		return data, err == nil
	}
	whole := newObject()
	switch known := known.(type) {
	case string:
		whole.set("secret", known)
		if mark, _ := ours.get(ofKey); mark != markOf(known) {
			ours = nil
		}
	case *object:
		for _, key := range notifyKeys() {
			value, _ := known.get(key)
			whole.set(key, value)
		}
	}
	if ours != nil {
		for _, each := range ours.without(ofKey, rawKey) {
			whole.set(each.key, each.value)
		}
	}
	return compact(whole), true
}

func notifyKeys() []string { return []string{"notify_service", "target"} }

// split is the way back: what goes into Home Assistant's file, and what into ours; nil for nothing. What Home Assistant
// would not understand is none of its business, and is kept by us as it is.
func (m *moduleTable) split(id, userID string, data []byte) (known any, ours *object) {
	doc, _ := parseJSON(string(data))
	whole, _ := doc.(*object)
	secret, _ := whole.get("secret")
	_, isText := secret.(string)
	switch {
	case id == "totp" && isText:
		ours = newObject(whole.without("secret")...)
		known = secret
	case id == "notify" && whole != nil && checkModule(id, whole) == nil:
		file := newObject()
		for _, key := range notifyKeys() {
			value, _ := whole.get(key)
			file.set(key, value)
		}
		if before, ok := m.known[userID].(*object); ok {
			file.members = append(file.members, before.without(notifyKeys()...)...)
		}
		known, ours = file, newObject(whole.without(notifyKeys()...)...)
	default:
		return nil, newObject(member{rawKey, base64.StdEncoding.EncodeToString(data)})
	}
	if len(ours.members) == 0 {
		return known, nil
	}
	if id == "totp" {
		ours.set(ofKey, markOf(secret))
	}
	return known, ours
}

// markOf is a mark of a secret by which it is recognised.
func markOf(secret any) string {
	text, _ := secret.(string)
	hash := latchkey.Secret(text).Hash()
	return base64.RawStdEncoding.EncodeToString(hash[:9])
}

// compact writes a document on one line.
func compact(v any) []byte {
	var b bytes.Buffer
	_ = json.Compact(&b, appendValue(nil, v, 0)) // it is valid
	return b.Bytes()
}

// ErrPasswordTooLong says that Home Assistant's file has no form for a password: it knows 72 bytes of one, and the rest
// would count for nothing (security.md W9).
var ErrPasswordTooLong = &latchkey.Error{Kind: latchkey.ErrValue,
	Text: "Passwords of more than 72 bytes cannot be kept in the files of Home Assistant: choose a shorter one"}

// toFile writes a hash as the file has it, which is a form that the provider reads as well: the base64 of a bcrypt text
// (storage.md §3). What is no such thing stays as it is, and nobody signs in with it.
func toFile(hash string) (string, error) {
	switch {
	case strings.HasPrefix(hash, "$2"):
		return base64.StdEncoding.EncodeToString([]byte(hash)), nil
	case strings.HasPrefix(hash, "$"):
		return "", ErrPasswordTooLong
	}
	return hash, nil
}

// Limits tell whoever copies one house into another what these files have no form for. A [Store] has them.
type Limits struct{}

// KeepsPassword says why the record of a password cannot be kept, or nil.
func (Limits) KeepsPassword(p latchkey.Password) error {
	_, err := toFile(p.Hash)
	return err
}

// NoteOnModule says what becomes of a second factor's data; empty if Home Assistant knows the factor as well.
func (Limits) NoteOnModule(id string) string {
	if fileOf(id) != "" {
		return ""
	}
	return "Home Assistant has no such factor: it is kept in " + extraFile + ", for latchkey alone"
}
