package doctor_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/doctor"
)

// healthy is a configuration of which nothing is to be said, in a folder of its own, and a machine on which it is well.
func healthy(t *testing.T) (config.Config, doctor.Options) {
	t.Helper()
	c := config.Default()
	c.Store.Path = filepath.Join(t.TempDir(), "latchkey.db")
	return c, doctor.Options{
		Addresses: func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.168.1.10")}, nil
		},
		Space: func(string) (free, total uint64, err error) { return 1 << 40, 1 << 41, nil },
	}
}

// furnish makes the house of a configuration, with an owner.
func furnish(t *testing.T, c config.Config) {
	t.Helper()
	change(t, c, func(ctx context.Context, tx latchkey.Tx) error {
		return tx.InsertUser(ctx, latchkey.User{ID: "u-anna", IsOwner: true, IsActive: true})
	})
}

func change(t *testing.T, c config.Config, do func(context.Context, latchkey.Tx) error) {
	t.Helper()
	store, err := config.OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(t.Context(), func(tx latchkey.Tx) error { return do(t.Context(), tx) })
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
}

// about returns what was found about a part, one finding a line, with what to do about it.
func about(findings []doctor.Finding, part string) string {
	var b strings.Builder
	for _, f := range findings {
		if f.Part == part {
			b.WriteString(string(f.Severity) + ": " + f.Text + " -> " + f.Mend + "\n")
		}
	}
	return b.String()
}

// expect is a finding that begins so and says so.
func expect(t *testing.T, findings []doctor.Finding, part string, s doctor.Severity, says string) {
	t.Helper()
	for line := range strings.Lines(about(findings, part)) {
		if strings.HasPrefix(line, string(s)+": ") && strings.Contains(line, says) {
			return
		}
	}
	t.Errorf("about %s there is no %s that says %q:\n%s", part, s, says, about(findings, part))
}

func TestAHouseThatIsWell(t *testing.T) {
	c, o := healthy(t)
	furnish(t, c)
	findings := doctor.Examine(t.Context(), c, o)
	parts := map[string]bool{}
	for _, f := range findings {
		parts[f.Part] = true
		if f.Severity != doctor.OK || f.Mend != "" || f.Text == "" {
			t.Errorf("%+v", f)
		}
	}
	if len(parts) != 10 || doctor.Worst(findings) != doctor.OK {
		t.Errorf("looked at are %v", parts)
	}
}

func TestTheWorstFindingCounts(t *testing.T) {
	var findings []doctor.Finding
	for _, s := range []doctor.Severity{doctor.OK, doctor.Note, doctor.Warning, doctor.Error} {
		findings = append([]doctor.Finding{{Severity: s}}, findings...)
		if got := doctor.Worst(findings); got != s {
			t.Errorf("got %s, want %s", got, s)
		}
	}
	if doctor.Worst(nil) != doctor.OK {
		t.Error("nothing is not well")
	}
}

func TestAConfigurationThatCannotBeMade(t *testing.T) {
	c, o := healthy(t)
	c.Registries = filepath.Join(t.TempDir(), "nowhere")
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Configuration, doctor.Error, "registries: stat ")
}

func TestAHouseThatIsNotMadeYet(t *testing.T) {
	c, o := healthy(t)
	findings := doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Store, doctor.Note, "there is no database "+c.Store.Path+" yet")
	expect(t, findings, doctor.People, doctor.Note, "cannot be known")
	c.Store.Path = filepath.Join(c.Store.Path, "below", "latchkey.db")
	o.Space = nil
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Disk, doctor.Note, "there is no folder")
}

func TestAHouseThatNobodyCanManage(t *testing.T) {
	c, o := healthy(t)
	change(t, c, func(context.Context, latchkey.Tx) error { return nil })
	expect(t, doctor.Examine(t.Context(), c, o), doctor.People, doctor.Note, "nobody has an account yet")
	admin := latchkey.User{ID: "u-anna", GroupIDs: []string{latchkey.GroupAdmin}}
	change(t, c, func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertUser(ctx, admin) })
	expect(t, doctor.Examine(t.Context(), c, o), doctor.People, doctor.Error, "nobody can manage the house")
	admin.IsActive = true
	change(t, c, func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdateUser(ctx, admin) })
	expect(t, doctor.Examine(t.Context(), c, o), doctor.People, doctor.OK, "")
}

func TestAClockThatIsWrong(t *testing.T) {
	c, o := healthy(t)
	furnish(t, c)
	used := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	change(t, c, func(ctx context.Context, tx latchkey.Tx) error {
		return tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
			ID: "t", UserID: "u-anna", Type: latchkey.TokenLongLived, CreatedAt: used.Add(-time.Hour), LastUsedAt: used,
			Secret: "a", JWTKey: "b",
		})
	})
	o.Built = used.Add(-30 * 24 * time.Hour)
	for _, test := range []struct {
		now  time.Time
		s    doctor.Severity
		says string
	}{
		{used, doctor.OK, "it is "},
		{used.Add(-time.Minute), doctor.OK, "it is "},
		{used.Add(-2 * time.Minute), doctor.Warning, "which is to come"},
		{o.Built.Add(-48 * time.Hour), doctor.Error, "this program was made later"},
		{used.Add(30 * 365 * 24 * time.Hour), doctor.Error, "hardly true"},
	} {
		o.Now = func() time.Time { return test.now }
		expect(t, doctor.Examine(t.Context(), c, o), doctor.Clock, test.s, test.says)
	}
	o.Built, o.Now = time.Time{}, func() time.Time { return time.Unix(0, 0) }
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Clock, doctor.Error, "this program was made later")
}

func TestADiskThatIsFull(t *testing.T) {
	c, o := healthy(t)
	for _, test := range []struct {
		free, total uint64
		err         error
		s           doctor.Severity
		says        string
	}{
		{1 << 20, 1 << 40, nil, doctor.Error, "the disk is full: 1 MiB are free in "},
		{100 << 20, 1 << 40, nil, doctor.Warning, "almost full"},
		{100 << 20, 1 << 30, nil, doctor.OK, "100 MiB"},
		{2 << 30, 1 << 50, nil, doctor.OK, "2048 MiB"},
		{0, 0, errors.New("unknown"), doctor.Note, "is not known"},
	} {
		o.Space = func(string) (uint64, uint64, error) { return test.free, test.total, test.err }
		expect(t, doctor.Examine(t.Context(), c, o), doctor.Disk, test.s, test.says)
	}
	o.Space = nil
	if said := about(doctor.Examine(t.Context(), c, o), doctor.Disk); !strings.Contains(said, "MiB are free in ") {
		t.Errorf("of the disk of this machine is said: %s", said)
	}
}
