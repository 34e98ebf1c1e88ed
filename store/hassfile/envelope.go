package hassfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// The files of the folder.
const (
	authFile       = "auth"
	passwordFile   = "auth_provider.homeassistant"
	totpFile       = "auth_module.totp"
	notifyFile     = "auth_module.notify"
	onboardingFile = "onboarding"
	// extraFile is ours: what latchkey knows about second factors and Home Assistant's files have no place for.
	extraFile = "latchkey.extra"
)

// tokensKey names the list of refresh tokens in the file auth.
const tokensKey = "refresh_tokens"

// version is the format that we write. Of onboarding we read those before it as well.
func version(name string) int {
	if name == onboardingFile {
		return 4
	}
	return 1
}

// envelope is what stands around the data of a file.
type envelope struct {
	// found says that the file exists and holds something.
	found   bool
	version int
	// otherMinor says that a program of another minor version wrote the file, in a form that it takes for compatible.
	otherMinor bool
	extra      []member // of the envelope
	data       []member // of the data, as far as it is not known
}

// fileError names the file, and the field, of which something is wrong.
type fileError struct {
	file, field string
	err         error
}

func (e *fileError) Error() string {
	if e.field == "" {
		return fmt.Sprintf("%s: %v", e.file, e.err)
	}
	return fmt.Sprintf("%s: %s: %v", e.file, e.field, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// openEnvelope reads the envelope of a file and returns its data; nil when there is none (storage.md §1).
func openEnvelope(name string, p *parser) (data any, e envelope, err error) {
	doc, err := p.document()
	if err != nil {
		return nil, e, &fileError{name, "", fmt.Errorf("%w: restore the file from a backup", err)}
	}
	o, ok := doc.(*object)
	if !ok {
		return nil, e, &fileError{name, "", errors.New("an object is expected")}
	}
	if len(o.members) == 0 {
		return nil, e, nil
	}
	given, ok := o.get("version")
	if !ok {
		return nil, e, &fileError{name, "version", errors.New("it is missing: this is no file that Home Assistant wrote")}
	}
	n, _ := given.(json.Number)
	major, err := strconv.Atoi(n.String())
	if err != nil || major != version(name) && (name != onboardingFile || major < 1 || major > version(name)) {
		advice := "a newer Home Assistant wrote the file, and a newer latchkey is needed"
		if major < version(name) {
			advice = "no Home Assistant wrote that: restore the file from a backup"
		}
		return nil, e, &fileError{name, "version", fmt.Errorf("%s is not understood, only %d: %s",
			appendValue(nil, given, 0), version(name), advice)}
	}
	data, ok = o.get("data")
	if !ok {
		return nil, e, &fileError{name, "data", errors.New("it is missing: this is no file that Home Assistant wrote")}
	}
	minor, ok := o.get("minor_version")
	return data, envelope{
		found: true, version: major, otherMinor: ok && minor != json.Number(minorVersion),
		extra: o.without("version", "minor_version", "key", "data"),
	}, nil
}

// minorVersion is the one that we write.
const minorVersion = "1"

// migrateOnboarding marks the steps as done that did not exist yet when the file was written (onboarding.md S-2).
func migrateOnboarding(version int, done []string) []string {
	for since, step := range []string{"integration", "core_config", "analytics"} {
		if version < since+2 && !slices.Contains(done, step) {
			done = append(done, step)
		}
	}
	return done
}

// seal writes a file with its envelope. known are the members of the data that we write, in their order.
func (e envelope) seal(to io.Writer, name string, known ...member) error {
	doc := newObject(append([]member{
		{"version", json.Number(strconv.Itoa(version(name)))},
		{"minor_version", json.Number(minorVersion)},
		{"key", name},
		{"data", newObject(append(known, e.data...)...)},
	}, e.extra...)...)
	s := sink{to: to}
	s.value(doc, 0)
	s.flush()
	return s.err
}
