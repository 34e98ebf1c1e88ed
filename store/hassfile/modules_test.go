package hassfile

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
)

// Home Assistant keeps the users of a second factor in one file, whatever id the configuration gives to it. Under another id
// it is still asked for, or the password alone would let somebody in.
func TestASecondFactorIsFoundUnderAnyID(t *testing.T) {
	s := open(t, copied(t, "2025"))
	codes, err1 := totp.New(s, totp.Config{ID: "app"})
	messages, err2 := notify.New(s, notify.Senders{}, notify.Config{ID: "sms"})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	t.Cleanup(messages.Close)
	for _, factor := range []latchkey.MFAModule{codes, messages} {
		if there, err := factor.IsSetUp(t.Context(), adaID); err != nil || !there {
			t.Errorf("%s is set up: %v, %v", factor.ID(), there, err)
		}
	}
}
