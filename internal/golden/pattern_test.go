package golden

import (
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	const id, other = "01HF7YAT00XXXXXXXXXXXXXXX0", "01HF7YAT00XXXXXXXXXXXXXXX1"
	tests := []struct {
		name      string
		templates []string
		texts     []string
		want      string // of the last error; empty for a match
	}{
		{"literal", []string{"abc"}, []string{"abc"}, ""},
		{"literal differs", []string{"abc"}, []string{"abd"}, `recorded "abc", got "abd"`},
		{"text is longer", []string{"abc"}, []string{"abcd"}, `recorded an end, got "d"`},
		{"same label, same value", []string{"<ULID:1>,<ULID:1>"}, []string{id + "," + id}, ""},
		{"same label, other value", []string{"<ULID:1>,<ULID:1>"}, []string{id + "," + other}, "recorded <ULID:1> = " + id},
		{"across texts", []string{"<ULID:1>", "<ULID:1>"}, []string{id, other}, "recorded <ULID:1> = " + id},
		{"two labels, one value", []string{"<ULID:1>,<ULID:2>"}, []string{id + "," + id}, id + " is <ULID:1>"},
		{"not of the kind", []string{"<ULID:1>"}, []string{"xyz"}, `recorded <ULID:1>, got "xyz"`},
		{"ms", []string{`{"ts":<MS>}`}, []string{`{"ts":1795311327123}`}, ""},
		{"seconds are no ms", []string{`{"ts":<MS>}`}, []string{`{"ts":1795311327}`}, "recorded <MS>"},
		{"times need not be equal", []string{"<TIME:msZ> <TIME:msZ>"}, []string{"2025-01-01T00:00:00.5Z 2026-01-01T00:00:00Z"}, ""},
		{"zone", []string{"<TIME:sZ>"}, []string{"2025-01-01T00:00:00+02:00"}, "recorded <TIME:sZ>"},
		{"in a header", []string{"00-<HEX32:1>-<HEX16:1>-01"}, []string{"00-" + strings.Repeat("a", 32) + "-" + strings.Repeat("b", 16) + "-01"}, ""},
		{"unknown end", []string{"http://<APP>/"}, []string{"http://x/"}, "no value here"},
		{"no placeholder", []string{"input '<EOF>'"}, []string{"input '<EOF>'"}, ""},
		{"token", []string{`<JWT {\"alg\":\"HS256\"}.{\"exp\":<SEC>}.<SIG>>`}, []string{"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUzMTEzMjd9.c2ln"}, ""},
		{"other claims", []string{`<JWT {"alg":"HS256"}.{"iat":<SEC>}.<SIG>>`}, []string{"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUzMTEzMjd9.c2ln"}, "token: recorded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := NewBindings()
			var err error
			for i := range tt.templates {
				err = b.Match(tt.templates[i], tt.texts[i])
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("no match: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestTryTakesBack(t *testing.T) {
	t.Parallel()
	b := NewBindings()
	b.try(func() bool { return b.Match("<HEX16:1> x", "0123456789abcdef y") == nil })
	if v, ok := b.Value("<HEX16:1>"); ok {
		t.Errorf("a failed match has bound %s", v)
	}
	if err := b.Match("<HEX16:2>", "0123456789abcdef"); err != nil {
		t.Errorf("the value of a failed match is still taken: %v", err)
	}
}

func TestExpandMatches(t *testing.T) {
	t.Parallel()
	template := "<ULID:run1> <UUID:fn:a> <HEX16:1> <HEX32:1> <HEX64:signature> <MS> <SEC> <US> <NS> <TIME:sZ> <TIME:msZ> <TIME:nsZ> <HTTPDATE> file://<PATH>:1 " +
		`<JWT {"alg":"HS256"}.{"exp":<SEC>,"id":"<ULID:run1>"}.<SIG>>`
	b := NewBindings()
	text := b.Expand(template, time.Now())
	if strings.Contains(text, "<") {
		t.Fatalf("a placeholder is left in %q", text)
	}
	if err := b.Match(template, text); err != nil {
		t.Error(err)
	}
	if err := b.Match("<ULID:run1>", strings.Fields(text)[0]); err != nil {
		t.Errorf("the made-up value is not bound: %v", err)
	}
}

func TestCompareBody(t *testing.T) {
	t.Parallel()
	anyOrder := func(path string) bool { return path == "body.a" }
	tests := []struct {
		name, want, got string
		unordered       func(string) bool
		diff            string
	}{
		{"equal", `{"a":[1,2.50],"ts":<MS>}`, `{"a":[1,2.50],"ts":1795311327123}`, nil, ""},
		{"number spelling", `{"a":1.0}`, `{"a":1}`, nil, "body.a: recorded 1.0, got 1"},
		{"string for a number", `{"ts":<MS>}`, `{"ts":"1795311327123"}`, nil, "body.ts: recorded"},
		{"number for a string", `{"ts":"<MS>"}`, `{"ts":1795311327123}`, nil, "body.ts: recorded"},
		{"key order", `{"a":1,"b":2}`, `{"b":2,"a":1}`, nil, "equal values in other bytes"},
		{"missing", `{"a":1,"b":2}`, `{"a":1}`, nil, "body.b: recorded 2, missing"},
		{"not recorded", `{"a":1}`, `{"a":1,"b":null}`, nil, "body.b: not recorded, got null"},
		{"array order", `{"a":["x","y"]}`, `{"a":["y","x"]}`, nil, `body.a[0]: recorded "x", got "y"`},
		{"array in any order", `{"a":["x","y"]}`, `{"a":["y","x"]}`, anyOrder, ""},
		{"other elements in any order", `{"a":["x","y"]}`, `{"a":["y","z"]}`, anyOrder, `body.a[]: recorded "x", got "z"`},
		{
			"labels in any order", `{"a":[{"g":"<HEX16:1>"},{"g":"<HEX16:2>"},{"g":"<HEX16:1>","n":1}]}`,
			`{"a":[{"g":"2222222222222222"},{"g":"1111111111111111"},{"g":"1111111111111111","n":1}]}`, anyOrder, "",
		},
		{"array length", `{"a":[1]}`, `{"a":[1,2]}`, nil, "body.a: recorded 1 elements"},
		{"null", `{"a":null}`, `{"a":{}}`, nil, "body.a: recorded null, got {}"},
		{"object", `{"a":{}}`, `{"a":[]}`, nil, "body.a: recorded an object, got []"},
		{"array", `{"a":[]}`, `{"a":{}}`, nil, "body.a: recorded an array, got {}"},
		{"no JSON", `{"a":1}`, `x`, nil, "body: recorded JSON"},
		{"text", `plain`, `other`, nil, "body: recorded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			diffs := strings.Join(compareBody(&Body{Raw: tt.want}, []byte(tt.got), NewBindings(), tt.unordered), "\n")
			if tt.diff == "" && diffs != "" || !strings.Contains(diffs, tt.diff) {
				t.Errorf("differences %q do not say %q", diffs, tt.diff)
			}
		})
	}
}

func TestCompareHeader(t *testing.T) {
	t.Parallel()
	want := Header{"X-Run-Id": {"<ULID:1>"}, "Connection": {"close"}, "Vary": {"Origin", "Origin"}}
	tests := []struct {
		name  string
		got   Header
		exact bool
		diff  string
	}{
		{"equal", Header{"X-Run-Id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Origin", "Origin"}, "Date": {"x"}}, true, ""},
		{"spelling on the wire", Header{"x-run-id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Origin", "Origin"}}, true, "X-Run-Id: recorded"},
		{"any spelling", Header{"x-run-id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Origin", "Origin"}}, false, ""},
		{"value", Header{"X-Run-Id": {"x"}, "Vary": {"Origin", "Origin"}}, true, "X-Run-Id: recorded <ULID:1>"},
		{"named once", Header{"X-Run-Id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Origin"}}, true, ""},
		{"other value", Header{"X-Run-Id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Host"}}, true, "Vary: recorded"},
		{"not recorded", Header{"X-Run-Id": {"01HF7YAT00XXXXXXXXXXXXXXX0"}, "Vary": {"Origin", "Origin"}, "X-New": {"1"}}, true, "X-New: not recorded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			diffs := strings.Join(compareHeader(want, tt.got, NewBindings(), tt.exact), "\n")
			if tt.diff == "" && diffs != "" || !strings.Contains(diffs, tt.diff) {
				t.Errorf("differences %q do not say %q", diffs, tt.diff)
			}
		})
	}
}

func TestReadKnown(t *testing.T) {
	t.Parallel()
	known, err := ReadKnown(strings.NewReader("# note\n\nruns/a.json  deliberate: kept alive\nruns/b.json open: later /^event|gql/\n"))
	if err != nil {
		t.Fatal(err)
	}
	if k := known["runs/a.json"]; k.Reason != "deliberate: kept alive" || !k.Covers([]string{"anything"}) || k.Unstable() {
		t.Errorf("got %+v", k)
	}
	if k := known["runs/b.json"]; k.Reason != "open: later" || !k.Covers([]string{"event x", "a gql b"}) || k.Covers([]string{"event x", "call"}) {
		t.Errorf("got %+v", k)
	}
	for _, bad := range []string{"runs/a.json", "runs/a.json because", "runs/a.json open: x\nruns/a.json open: y", "runs/a.json open: x /(/"} {
		if _, err := ReadKnown(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestLaterMemos(t *testing.T) {
	t.Parallel()
	recorded := `{"ctx":{"stack":{"current":1,"stack":["a","b","c"]}},"events":[{"ts":<MS>}],"steps":{"a":{"data":1},"b":{"at":<MS>},"c":null}}`
	tests := []struct{ name, actual, want string }{
		{"one later", `{"ctx":{"stack":{"stack":["a","b"]}},"steps":{"a":1,"b":2}}`,
			`{"ctx":{"stack":{"current":1,"stack":["a","b"]}},"events":[{"ts":<MS>}],"steps":{"a":{"data":1},"b":{"at":<MS>}}}`},
		{"two later", `{"ctx":{"stack":{"stack":["a"]}},"steps":{"a":1}}`,
			`{"ctx":{"stack":{"current":1,"stack":["a"]}},"events":[{"ts":<MS>}],"steps":{"a":{"data":1}}}`},
		{"less than its position", `{"ctx":{"stack":{"stack":[]}},"steps":{}}`, recorded},
		{"all", `{"ctx":{"stack":{"stack":["a","b","c"]}},"steps":{"a":1,"b":2,"c":3}}`, recorded},
		{"a memo without a place", `{"ctx":{"stack":{"stack":["a"]}},"steps":{"a":1,"b":2}}`, recorded},
		{"no JSON", `x`, recorded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := laterMemos(recorded, []byte(tt.actual)); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
