package golden

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestViewValues compares values of views that have a meaning of their own.
func TestViewValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 20000)
	const hash = "<TRUNCATED chars=20000 sha256(as normalised)=42e8bc96b8eec8c4>"
	tests := []struct {
		name, path string
		want, got  any
		diff       string
	}{
		{"spelling", "run.output", `{"a":"\u003c","b":1}`, `{"b":1,"a":"<"}`, ""},
		{"other value", "run.output", `{"a":1}`, `{"a":2}`, "recorded 1, got 2"},
		{"no JSON", "run.output", "text", `"text"`, "recorded"},
		{"no output", "run.output", `{"a":1}`, nil, "recorded"},
		{"long", "trigger.payloads[0]", hash + " xxx", long, ""},
		{"other long", "trigger.payloads[0]", hash + " xxx", long[1:], "another hash"},
		{"long with an id", "trigger.payloads[0]", `<TRUNCATED chars=20000 sha256(as normalised)=0> "<MS>`, `"1795311327123` + long, ""},
		{"long with an id, too short", "trigger.payloads[0]", `<TRUNCATED chars=20000 sha256(as normalised)=0> "<MS>`, `"1795311327123`, "recorded 20000 characters"},
		{"size", "result.sizeBytes", json.Number("321"), json.Number("322"), ""},
		{"other size", "result.sizeBytes", json.Number("321"), json.Number("330"), "recorded 321, got 330"},
		{"no size", "result.sizeBytes", json.Number("0"), json.Number("2"), "recorded 0, got 2"},
		{"forgotten", "functionRun.data.batchID", nil, "01M8B2JVGYZD1WYWQ85GXM1EZZ", ""},
		{"not forgotten", "run.data.batchID", nil, "01M8B2JVGYZD1WYWQ85GXM1EZZ", "recorded null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &viewComparer{comparer: comparer{b: NewBindings()}}
			c.special = c.viewValue
			c.value(tt.path, tt.want, tt.got)
			if diffs := strings.Join(c.diffs, "\n"); tt.diff == "" && diffs != "" || !strings.Contains(diffs, tt.diff) {
				t.Errorf("differences %q do not say %q", diffs, tt.diff)
			}
		})
	}
}

// TestSettledIDs checks that ids in base64 are decoded, and that a span's id in hex stays,
// although it happens to be base64 of "{}".
func TestSettledIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]any{
		"e31d0123456789ab": "e31d0123456789ab",
		"e319e319e319e319": "e319e319e319e319",
		base64.StdEncoding.EncodeToString([]byte(`{"tid":"a","rid":"b","sid":"c"}`)): map[string]any{"tid": "a", "sid": "c"},
	} {
		if got := settled(id); !reflect.DeepEqual(got, want) {
			t.Errorf("settled(%q) = %v, want %v", id, got, want)
		}
	}
}
