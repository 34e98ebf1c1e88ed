package latchkey_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

func TestNumbersOfAProviderStayWhatTheyAre(t *testing.T) {
	const text = `{"few": 7, "part": 1.5, "most": 9007199254740991, "more": 9007199254740993,
		"deep": [{"less": -12345678901234567890}], "exponent": 1e300}`
	got, err := latchkey.ParseData([]byte(text))
	want := map[string]any{
		"few": 7.0, "part": 1.5, "most": 9007199254740991.0, "more": json.Number("9007199254740993"),
		"deep": []any{map[string]any{"less": json.Number("-12345678901234567890")}}, "exponent": 1e300,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, wrong := range []string{`{"large": 1e400}`, `[]`, `{`} {
		if got, err := latchkey.ParseData([]byte(wrong)); err == nil {
			t.Errorf("%s is %v", wrong, got)
		}
	}
}
