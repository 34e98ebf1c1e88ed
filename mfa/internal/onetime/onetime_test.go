package onetime

import (
	"encoding/base32"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// spec: mfa.md §4 and §5, test values; RFC 4226 appendix D; RFC 6238 appendix B (its last six digits)
func TestCodesAreThoseOfTheStandards(t *testing.T) {
	rfc := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	const long = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	for _, tt := range []struct {
		secret  string
		counter uint64
		want    string
	}{
		{rfc, 0, "755224"}, {rfc, 1, "287082"}, {rfc, 2, "359152"}, {rfc, 3, "969429"}, {rfc, 4, "338314"},
		{rfc, 5, "254676"}, {rfc, 6, "287922"}, {rfc, 7, "162583"}, {rfc, 8, "399871"}, {rfc, 9, "520489"},
		{rfc, 59 / 30, "287082"}, {rfc, 1111111109 / 30, "081804"}, {rfc, 1111111111 / 30, "050471"},
		{rfc, 1234567890 / 30, "005924"}, {rfc, 2000000000 / 30, "279037"}, {rfc, 20000000000 / 30, "353130"},
		{"FPPTH34D4E3MI2HG", 0, "618420"}, {"FPPTH34D4E3MI2HG", 59 / 30, "024948"},
		{"FPPTH34D4E3MI2HG", 1700000000 / 30, "739054"}, {long, 1700000000 / 30, "406058"},
		{long, 0, "702218"}, {long, 1, "503347"}, {long, 9, "595232"}, {long, 1 << 40, "818783"},
		{strings.ToLower(long), 9, "595232"},
	} {
		if got, err := Code(tt.secret, tt.counter); err != nil || got != tt.want {
			t.Errorf("Code(%s, %d) = %s, %v; want %s", tt.secret, tt.counter, got, err, tt.want)
		}
	}
}

// spec: mfa.md §4, "padding added when the length is not a multiple of 8"
func TestSecretsMayLackTheirPadding(t *testing.T) {
	padded, err := Code("MFRGGZDFMY======", 7)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Code("MFRGGZDFMY", 7); err != nil || got != padded {
		t.Errorf("without padding: %s, %v; want %s", got, err, padded)
	}
}

// spec: mfa.md §4, "A stored secret that is not base32"
func TestUnusableSecretsHaveNoCode(t *testing.T) {
	for _, secret := range []string{"", "not base32!", "1", "ÄÖÜ", "A"} {
		if got, err := Code(secret, 0); err == nil {
			t.Errorf("Code(%q) = %s", secret, got)
		}
	}
}

// spec: mfa.md §4, "The comparison normalises both texts by Unicode NFKC"
func TestEqual(t *testing.T) {
	for typed, want := range map[string]bool{
		"123456": true, "１２３４５６": true, "①23456": true,
		" 123456": false, "123456 ": false, "12345": false, "1234567": false, "": false, "123457": false,
	} {
		if got := Equal("123456", typed); got != want {
			t.Errorf("Equal(%q) = %v", typed, got)
		}
	}
}

// spec: mfa.md §4, "32 random characters of A-Z2-7 (160 bits)"
func TestNewSecretsDiffer(t *testing.T) {
	one, two := NewSecret(), NewSecret()
	if one == two || !regexp.MustCompile(`^[A-Z2-7]{32}$`).MatchString(one) {
		t.Errorf("secrets %s and %s", one, two)
	}
}

// spec: security.md 14 and 10: a delay that grows, and never a lock
func TestDelayGrowsAndEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var throttle Throttle
	var delays []time.Duration
	for range 18 {
		throttle = throttle.Failed(now)
		if throttle.Until.IsZero() {
			delays = append(delays, 0)
			continue
		}
		delays = append(delays, throttle.Until.Sub(now))
	}
	want := append(make([]time.Duration, 9), 30*time.Second, time.Minute, 2*time.Minute, 4*time.Minute, 8*time.Minute,
		15*time.Minute, 15*time.Minute, 15*time.Minute, 15*time.Minute)
	if d := cmp.Diff(want, delays); d != "" {
		t.Error("delays (-want +got):", d)
	}
	for after, want := range map[time.Duration]bool{
		0: true, 15*time.Minute - 1: true, 15 * time.Minute: false, time.Hour: false,
		-time.Nanosecond: false, // the clock was ahead when the delay was set
	} {
		if got := throttle.Delayed(now.Add(after)); got != want {
			t.Errorf("after %v: delayed = %v", after, got)
		}
	}
	b, err := json.Marshal(throttle)
	if err != nil {
		t.Fatal(err)
	}
	var read Throttle
	if err := json.Unmarshal(b, &read); err != nil || read != throttle {
		t.Errorf("read back %+v, %v", read, err)
	}
}
