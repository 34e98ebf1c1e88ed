package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey/config"
)

func TestStrayVariablesAreFoundWithWhatIsMeant(t *testing.T) {
	for name, near := range map[string]string{
		"LATCHKEY_LISTN":     "LATCHKEY_LISTEN",
		"LATCHKEY_LSITEN":    "LATCHKEY_LISTEN",
		"LATCHKEY_listen":    "LATCHKEY_LISTEN",
		"latchkey_store":     "LATCHKEY_STORE",
		"LATCHKEY_LOGLEVEL":  "LATCHKEY_LOG_LEVEL",
		"LATCHKEY_LEVEL":     "LATCHKEY_LOG_LEVEL",
		"LATCHKEY_KEY":       "LATCHKEY_SEAL_KEY",
		"LATCHKEY_SEALKEY":   "LATCHKEY_SEAL_KEY",
		"LATCHKEY_STORE_URL": "LATCHKEY_STORE",
		"LATCHKEY_XYZ":       "",
		"LATCHKEY_":          "",
		"LATCHKEY_PORT":      "",
	} {
		strays := config.Strays([]string{"HOME=/root", name + "=hunter2"})
		if diff := cmp.Diff([]config.Stray{{Name: name, Near: near}}, strays); diff != "" {
			t.Error(diff)
		}
		for _, s := range strays {
			if shown := fmt.Sprintf("%+v %s %s", s, s, s.Advice()); strings.Contains(shown, "hunter2") {
				t.Errorf("%s shows its value: %s", name, shown)
			}
		}
	}
}

func TestWhatIsReadAndWhatIsOthersIsNotStray(t *testing.T) {
	environ := []string{
		"", "=C:=C:\\", "LATCHKEY", "LATCHKEYS_LISTEN=x", "PATH=/bin",
		"LATCHKEY_TEST_POSTGRES=postgres://127.0.0.1", "LATCHKEY_BENCH_USERS=7",
		"LATCHKEY_SERVICE_HOST=10.0.0.1", "LATCHKEY_SERVICE_PORT_HTTP=8123",
		"LATCHKEY_PORT=tcp://10.0.0.1:8123", "LATCHKEY_PORT_8123_TCP_ADDR=10.0.0.1",
	}
	for _, name := range config.Variables() {
		environ = append(environ, name+"=x")
	}
	if strays := config.Strays(environ); len(strays) > 0 {
		t.Errorf("found %v", strays)
	}
}
