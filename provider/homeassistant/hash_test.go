package homeassistant

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func testProvider(t testing.TB) *Provider {
	t.Helper()
	p, err := New(struct{ Store }{}, Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spec: storage.md §3, known-answer vectors; "Accept $2a$/$2b$/$2y$"
func TestHashesOfHomeAssistantsFiles(t *testing.T) {
	p := testProvider(t)
	for _, tt := range []struct {
		stored, password string
		want             bool
	}{
		{"JDJiJDEyJENpdUZHc3pIeDllTkh4UHVRY3dCV2VXRHBKQ1gyNS5mMHRjcGpOZDZBSEY3LzV5NklzVHk2", "test-pass", true},
		{"JDJiJDEyJENpdUZHc3pIeDllTkh4UHVRY3dCV2VXRHBKQ1gyNS5mMHRjcGpOZDZBSEY3LzV5NklzVHk2", "test-pasS", false},
		{"JDJiJDEyJGFiY2RlZmdoaWprbG1ub3BxcnN0dXVpa0JKTHc3ZmlDZ210dEJ2c0xBUGlxZy5yTXpsV3Ey", "second-pass", true},
		{"", "", false},
		{"not base64!", "x", false},
		{"bm90IGEgaGFzaA==", "not a hash", false},
		{"$2b$04$short", "x", false},
	} {
		if got := p.verify(tt.stored, tt.password); got != tt.want {
			t.Errorf("verify(%q, %q) = %v", tt.stored, tt.password, got)
		}
	}
}

// spec: security.md W9 and 2: the whole password counts, whatever its length
func TestTheWholePasswordCounts(t *testing.T) {
	p := testProvider(t)
	for _, length := range []int{8, 64, 71, 72, 73, 144, 4096} {
		password := strings.Repeat("x", length)
		hash, err := hashPassword(password, 4)
		if err != nil {
			t.Fatal(err)
		}
		if !p.verify(hash, password) {
			t.Errorf("%d bytes: refused", length)
		}
		for _, other := range []string{password + "x", password[1:], password[:length-1] + "y", password[:min(length, 72)-1]} {
			if p.verify(hash, other) {
				t.Errorf("%d bytes: a password of %d bytes is accepted as well", length, len(other))
			}
		}
	}
}

// spec: storage.md §3, "truncated to 72 bytes": a file of Home Assistant's knows no more than that
func TestHashesOfFilesEndAt72Bytes(t *testing.T) {
	p := testProvider(t)
	hash, err := hashPassword(strings.Repeat("x", 72), 4)
	if err != nil {
		t.Fatal(err)
	}
	if !p.verify(base64.StdEncoding.EncodeToString([]byte(hash)), strings.Repeat("x", 100)) {
		t.Error("a password of 100 bytes, hashed by Home Assistant, is refused")
	}
}

// spec: providers.md §3.3
func TestDummyHashIsOfThePasswordFoo(t *testing.T) {
	p, err := New(struct{ Store }{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.verify(dummyHash, "foo") {
		t.Error("the dummy hash is not the one of the specification")
	}
	if p.verify(dummyHash, "foo\x00") {
		t.Error("a password with NUL is accepted")
	}
}

// spec: security.md 1 to 5, W4
func TestCheckPassword(t *testing.T) {
	for password, want := range map[string]error{
		"":                             ErrPasswordTooShort,
		"1234567":                      ErrPasswordTooShort,
		"éééé":                         ErrPasswordTooShort, // eight bytes, four characters
		"password":                     ErrPasswordCommon,
		"PassWord":                     ErrPasswordCommon,
		"12345678":                     ErrPasswordCommon,
		"zxcvbnm,":                     nil,
		"        ":                     nil, // no rules about characters
		"κωδικός πρόσβασης":            nil,
		strings.Repeat("long ", 100):   nil,
		"with\x00nul and more":         ErrPasswordUnusable,
		"not utf-8 \xff\xfe":           ErrPasswordUnusable,
		strings.Repeat("x", 10<<20):    ErrPasswordTooLong,
		"eight\u200b8":                 ErrPasswordTooShort,
		"correct horse battery staple": nil,
	} {
		if got := CheckPassword(password); got != want && (want == nil || got == nil || got.Error() != want.Error()) {
			t.Errorf("CheckPassword(%.20q) = %v, want %v", password, got, want)
		}
	}
	if n := len(commonPasswords()); n < 3000 {
		t.Errorf("the list of common passwords has %d entries, want at least 3000 (security.md 5)", n)
	}
}

// What the provider writes is the form that Home Assistant's files know, when bcrypt alone is enough.
func TestNewHashesHaveTheFormOfHomeAssistant(t *testing.T) {
	hash, err := hashPassword("correct horse battery", 12)
	if err != nil || !strings.HasPrefix(hash, "$2b$12$") || len(hash) != 60 {
		t.Errorf("hash = %q, %v", hash, err)
	}
}

func BenchmarkUnknownUser(b *testing.B) {
	p, err := New(struct{ Store }{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.spendTime("correct horse battery")
	}
}

func BenchmarkWrongPassword(b *testing.B) {
	p, err := New(struct{ Store }{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.verify(dummyHash, "correct horse battery")
	}
}

var _ latchkey.Provider = (*Provider)(nil)
var _ latchkey.CredentialsRemover = (*Provider)(nil)
