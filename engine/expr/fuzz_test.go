package expr

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzExpr compiles, evaluates and interpolates anything over anything. A panic
// that was caught at the border counts as a failure too.
func FuzzExpr(f *testing.F) {
	for _, src := range []string{
		"event.data.a ===", "event.data.a", "foo.bar == 1", "event.data.items.exists(x, x == 1)", "event.data.",
		"event.data.plan == 'pro' && event.data.n >= 10", "event.data.id == async.data.id && async.data.n > 5",
		"event.data.p + '-' + event.data.q", "event.data._inngest.fn_slug == 'golden-defer-d'", "async.data.x == null",
		`date(event.ts) > now_minus("1d")`, `json_parse(event.data.s).a[0]["b"] in {1: b"x", "k": -1.5e3}`,
		`event.data.l.map(x, x > 1, x * 2).filter(y, y != 2.0).size() == 1 ? "a" : r'\b'`, "-- 1 - -1", "event . a [ 0 ]",
		`event.a.matches("^a+$") || "\u00e9\x41" == event.b`, "type(event) == map && [1, 2u, null][1] < 3", "has(event.a.b)",
	} {
		f.Add(src, testEvent)
		f.Add(src, `{"data":{"items":[1,2],"n":"10","id":null}}`)
	}
	f.Fuzz(func(t *testing.T, src, event string) {
		internal := func(what string, err error) {
			if err != nil && strings.Contains(err.Error(), "internal:") {
				t.Fatalf("%s of %q over %q: %v", what, src, event, err)
			}
		}
		internal("restriction", ValidateRestricted(src))
		e, err := Compile(src)
		internal("compilation", err)
		if err != nil {
			if _, err := Interpolate(src, nil); err == nil && strings.Contains(src, "event") {
				t.Fatalf("%q does not compile, but can be interpolated", src)
			}
			return
		}
		v := JSON{Event: []byte(event), Async: []byte(event), Now: testNow}
		got, gotErr := e.BoolJSON(v)
		internal("evaluation", gotErr)
		_, err = e.ValueJSON(v)
		internal("value", err)
		fixed, fixErr := InterpolateJSON(src, []byte(event))
		internal("interpolation", fixErr)
		if fixErr == nil {
			if _, err := Compile(fixed); err != nil {
				t.Fatalf("%q became %q, which does not compile: %v", src, fixed, err)
			}
		}
		var m map[string]any
		if !utf8.ValidString(event) || json.Unmarshal([]byte(event), &m) != nil || m == nil {
			return
		}
		want, wantErr := e.Bool(Vars{Event: m, Async: m, Now: testNow})
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%q over %q: JSON %v, %v; maps %v, %v", src, event, got, gotErr, want, wantErr)
		}
	})
}

// FuzzShapes checks that a program that is shared between sources gives what one
// compiled for the source alone gives.
func FuzzShapes(f *testing.F) {
	for _, s := range []string{`1 - -1`, `"a" + 'b'`, `[1, 2][0]`, `- 1`, `--1`, `1.5 in [-1.5]`, `{"a": 1}["a"]`, `5u == 5u`, `1 < 2 && "x" != "y"`, `.5 + 1e3`} {
		f.Add(s, "1", "2")
	}
	f.Fuzz(func(t *testing.T, src, from, to string) {
		if len(from) > 3 || len(to) > 3 {
			return
		}
		for _, s := range []string{src, strings.ReplaceAll(src, from, to)} {
			e, err := Compile(s)
			if err != nil {
				continue
			}
			checked, iss := celEnv().Compile(s)
			if iss.Err() != nil {
				t.Fatalf("%q compiles from the cache only: %v", s, iss.Err())
			}
			prog, _, err := build(checked.NativeRep(), s, &shape{})
			if err != nil {
				t.Fatal(err)
			}
			a, errA := e.Value(Vars{})
			b, errB := (&Expr{src: s, prog: prog}).Value(Vars{})
			ja, _ := json.Marshal(a)
			jb, _ := json.Marshal(b)
			if string(ja) != string(jb) || (errA == nil) != (errB == nil) {
				t.Fatalf("%q: shared %s, %v; alone %s, %v", s, ja, errA, jb, errB)
			}
		}
	})
}
