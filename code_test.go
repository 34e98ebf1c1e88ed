package latchkey_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: http-auth.md K-1 to K-6; security.md W1, 29 to 32
func TestCodes(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		ctx := t.Context()
		anna := h.person(t, "anna")
		create := func() latchkey.Secret {
			code, err := h.CreateCode(ctx, latchkey.AuthorizationCode{
				ClientID: client, Purpose: latchkey.PurposeAuthorize, Credentials: anna.Credentials[0],
			})
			if err != nil || len(code) != 32 {
				t.Fatalf("code of %d digits, %v", len(code), err)
			}
			return code
		}
		take := func(clientID string, code latchkey.Secret, p latchkey.Purpose) error {
			got, err := h.TakeCode(ctx, clientID, code, p)
			if err == nil && cmp.Diff(anna.Credentials[0], got.Credentials) != "" {
				t.Errorf("credentials = %+v", got.Credentials)
			}
			return err
		}
		code := create()
		for name, err := range map[string]error{
			"other client":  take("https://app.example", code, latchkey.PurposeAuthorize),
			"other purpose": take(client, code, latchkey.PurposeLink),
			"other code":    take(client, "00000000000000000000000000000000", latchkey.PurposeAuthorize),
		} {
			if !errors.Is(err, latchkey.ErrInvalidCode) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := take(client, code, latchkey.PurposeAuthorize); err != nil {
			t.Errorf("used up by those who may not use it: %v", err)
		}
		if err := take(client, code, latchkey.PurposeAuthorize); !errors.Is(err, latchkey.ErrInvalidCode) {
			t.Errorf("second use: %v", err)
		}
		early, late := create(), create()
		time.Sleep(latchkey.CodeLifetime - time.Second)
		if err := take(client, early, latchkey.PurposeAuthorize); err != nil {
			t.Errorf("at 9:59: %v", err)
		}
		time.Sleep(time.Second)
		if err := take(client, late, latchkey.PurposeAuthorize); !errors.Is(err, latchkey.ErrInvalidCode) {
			t.Errorf("at 10:00: %v", err)
		}
	})
}

// spec: security.md 11: nobody who knew the old password gets in after a reset, however far they were
func TestAResetVoidsCodesAndLoginsThatAreUnderWay(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	h.person(t, "anna")
	signIn := func() latchkey.Login {
		login, _ := h.start(t)
		login, _, err := h.answer(login, credentials("anna", password))
		if err != nil {
			t.Fatal(err)
		}
		return login
	}
	create := func(l latchkey.Login) latchkey.Secret {
		code, err := h.CreateCode(ctx, l.Code())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	done := signIn()
	codes := []latchkey.Secret{create(done)}
	if _, err := h.local.ResetPassword(ctx, "anna", "another good password"); err != nil {
		t.Fatal(err)
	}
	codes = append(codes, create(done))
	for _, code := range codes {
		if _, err := h.TakeCode(ctx, client, code, latchkey.PurposeAuthorize); !errors.Is(err, latchkey.ErrInvalidCode) {
			t.Errorf("a code from before the reset: %v", err)
		}
	}
}

// spec: RFC 7636 appendix B; security.md 32
func TestCodeChallenge(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, tt := range []struct {
		challenge, verifier string
		want                bool
	}{
		{challenge, verifier, true},
		{challenge, verifier + "x", false},
		{challenge, "", false},
		{challenge, challenge, false}, // the plain method
		{"", verifier, false},
		{"", "", true},
	} {
		if got := (latchkey.AuthorizationCode{Challenge: tt.challenge}).MeetsChallenge(tt.verifier); got != tt.want {
			t.Errorf("challenge %q, verifier %q: %v", tt.challenge, tt.verifier, got)
		}
	}
}
