package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBool(t *testing.T) {
	t.Parallel()
	const event = `{"data":{"yes":true,"s":"x","n":1,"nil":null}}`
	for src, want := range map[string]string{
		`event.data.yes`:          `true <nil>`,
		`event.data.yes == false`: `false <nil>`,
		`event.data.missing`:      `false <nil>`,
		`event.data.s`:            `false returned type string: expression errored`,
		`event.data.n`:            `false returned type double: expression errored`,
		`event.data.nil`:          `false returned type null: expression errored`,
		`event.data.s > 5`:        `false expression errored: no such overload: _>_(string, int)`,
	} {
		e, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.BoolJSON(JSON{Event: []byte(event)})
		if s := fmt.Sprintf("%v %v", got, err); s != want {
			t.Errorf("%s: BoolJSON gives %s, want %s", src, s, want)
		}
		got, err = e.Bool(Vars{Event: decodeEvent(t, event)})
		if s := fmt.Sprintf("%v %v", got, err); s != want {
			t.Errorf("%s: Bool gives %s, want %s", src, s, want)
		}
	}
}

// Go types that no JSON decoder makes of an event by default.
func TestVarsTypes(t *testing.T) {
	t.Parallel()
	for _, x := range []any{5, int32(5), int64(5), uint32(5), uint64(5), float32(5), json.Number("5"), json.Number("5.0")} {
		e, err := Compile(`event.n == 5 && type(event.n) == double`)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := e.Bool(Vars{Event: map[string]any{"n": x}}); !ok || err != nil {
			t.Errorf("%T: %v %v", x, ok, err)
		}
	}
	e, _ := Compile(`event.n`)
	if v, err := e.Value(Vars{Event: map[string]any{"n": []byte("x")}}); err != nil || string(v.([]byte)) != "x" {
		t.Errorf("bytes give %v, %v", v, err)
	}
	for _, x := range []any{struct{}{}, json.Number("x")} {
		if _, err := e.Value(Vars{Event: map[string]any{"n": x}}); err == nil {
			t.Errorf("%T is taken", x)
		}
	}
	if v, err := e.Value(Vars{Event: map[string]any{"n": map[string]any(nil)}}); v != nil || err != nil {
		t.Errorf("a nil map gives %v, %v", v, err)
	}
}

// The JSON reader takes any valid spelling, the last of repeated keys, and ends on
// text that is no JSON.
func TestJSONSpellings(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		"{\"data\" : {\t\"x\"\n:\r 1 } }":                 `1`,
		`{"data":{"x":1,"x":2}}`:                          `2`,
		`{"data":{"x":1},"data":{"y":2}}`:                 `false`,
		`{"data":{"y":{"x":5}},"data":{"x":{}}}`:          `{}`,
		`{"d\u0061ta":{"\u0078":"\ud83d\ude00"}}`:         `"😀"`,
		`{"data":{"x":"\b\f\n\r\t\/\"\\\ud83d"}}`:         "\"\\b\\f\\n\\r\\t/\\\"\\\\\ufffd\"",
		`{"other":"}\\\"{]","data":{"x":[{"a":"]}\\"}]}}`: `[{"a":"]}\\"}]`,
		`{"data":{"x":-0.5e-2}}`:                          `-0.005`,
		`{"data":{"x":12345678901234567890}}`:             `12345678901234567000`,
		`{"data":{"x":-0}}`:                               `0`,
		`{"data":[1]}`:                                    `false`,
		`[]`:                                              `false`,
		` {"data":{"x":[ ]}} `:                            `[]`,
		`{"data":{"x":{ }}}`:                              `{}`,
	} {
		e, err := Compile(`event.data.x`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.ValueJSON(JSON{Event: []byte(event)})
		b, _ := json.Marshal(got)
		var w any
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
		wb, _ := json.Marshal(w)
		if err != nil || !bytes.Equal(bytes.Replace(b, []byte("-0"), []byte("0"), 1), bytes.Replace(wb, []byte("-0"), []byte("0"), 1)) {
			t.Errorf("%s: %s, %v; want %s", event, b, err, wb)
		}
	}
}

// TestSkip compares skipping with json.Decoder over containers whose strings lie
// across the eight-byte steps in all ways.
func TestSkip(t *testing.T) {
	t.Parallel()
	for pad := range 20 {
		for _, body := range []string{`"%s"`, `"%s\""`, `"\\%s"`, `"%s\\"`, `"]%s}"`, `[%s[]]`, `{"%s":{}}`, `"%s\u005d"`, `[1,"%s",{"a":[]}]`} {
			fill := strings.Repeat("a", pad)
			if strings.HasPrefix(body, "[%s") {
				fill = strings.Repeat(" ", pad)
			}
			s := "[" + fmt.Sprintf(body, fill) + `,{"z":"]"}]`
			if !json.Valid([]byte(s)) {
				t.Fatal(s)
			}
			for _, tail := range []string{"", "]", `,"x":1}}]]`, strings.Repeat("]", 20)} {
				if got := skipValue(s+tail, 0); got != len(s) {
					t.Fatalf("skipping %s in %s ends at %d", s, s+tail, got)
				}
			}
			for cut := range s {
				if got := skipValue(s[:cut], 0); got != cut && cut > 0 {
					t.Fatalf("skipping %s ends at %d", s[:cut], got)
				}
			}
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`"2025-01-02T03:04:05Z"`:                 `2025-01-02T03:04:05Z`,
		`"2025-01-02T03:04:05.5+02:00"`:          `2025-01-02T01:04:05.5Z`,
		`"2025-01-02T03:04:05"`:                  `2025-01-02T03:04:05Z`,
		`"2025-01-02"`:                           `2025-01-02T00:00:00Z`,
		`"Thu, 02 Jan 2025 03:04:05 GMT"`:        `2025-01-02T03:04:05Z`,
		`"02 Jan 25 03:04 +0000"`:                `2025-01-02T03:04:00Z`,
		`"Thursday, 02-Jan-25 03:04:05 UTC"`:     `2025-01-02T03:04:05Z`,
		`"Thu Jan  2 03:04:05 2025"`:             `2025-01-02T03:04:05Z`,
		`"Thu Jan 02 03:04:05 +0000 2025"`:       `2025-01-02T03:04:05Z`,
		`"Thu Jan  2 03:04:05 UTC 2025"`:         `2025-01-02T03:04:05Z`,
		`"2025-01-02 03:04:05.25 +0000 UTC"`:     `2025-01-02T03:04:05.25Z`,
		`"Jan  2 03:04:05"`:                      `0000-01-02T03:04:05Z`,
		`1735787045`:                             `2025-01-02T03:04:05Z`,
		`1735787045000`:                          `2025-01-02T03:04:05Z`,
		`1735787045000000000`:                    `2025-01-02T03:04:05Z`,
		`dyn(1735787045.0)`:                      `2025-01-02T03:04:05Z`,
		`dyn(timestamp("2025-01-02T00:00:00Z"))`: `2025-01-02T00:00:00Z`,
		`946684799`:                              `error`,
		`dyn(1735787045.5)`:                      `error`,
		`dyn(true)`:                              `error`,
		`"tomorrow"`:                             `error`,
	} {
		e, err := Compile("date(" + src + ")")
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Value(Vars{})
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("date(%s) = %v (%v), want %s", src, got, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"1s": time.Second, "1.5h": 90 * time.Minute, "1d": day, "2w": 14 * day, "1w2d3h4m5.5s": 9*day + 3*time.Hour + 4*time.Minute + 5500*time.Millisecond,
		"-1d": -day, "0": 0, "100ms": 100 * time.Millisecond, "5us": 5 * time.Microsecond,
	} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "1", "x", "1y", "1d2", "d", "--1d", "1000000w", "200000d200000d", "1..5s"} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("%q gives %v", s, got)
		}
	}
}

// Evaluation is bounded whatever the expression and the event are.
func TestCostLimit(t *testing.T) {
	t.Parallel()
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 5000), ",") + "]"
	deep := strings.Repeat("[", 9000) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("]", 9000)
	event := []byte(`{"data":{"l":` + list + `,"s":"` + strings.Repeat("a", 1<<20) + `","deep":` + deep + `}}`)
	for _, src := range []string{
		`event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, a == c)))`,
		`event.data.l.map(a, event.data.l.map(b, event.data.l)).size()`,
		`event.data.l.map(a, event.data.s + event.data.s).size()`,
		`event.data.l.exists(a, event.data.s.contains("ab"))`,
		`event.data.l.exists(a, event.data.s.matches("(a*)*b"))`,
		`event.data.l.exists(a, lowercase(event.data.s) == "b")`,
		`event.data.l.exists(a, a == 2 || event.data.l == event.data.l.map(b, b + 1))`,
		`event.data.l.exists(a, 2 in event.data.l)`,
		`event.data.l.exists(a, size(event.data.s) == 1)`,
		`event.data.l.exists(a, "x".matches(event.data.s))`,
		`event.data.l.exists(a, bytes(event.data.s) == b"x")`,
		`event.data.deep`,
		`event.data.deep == event.data.deep`,
	} {
		e, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.ValueJSON(JSON{Event: event}); !errors.Is(err, ErrCost) {
			t.Errorf("%s: %v, %v", src, v, err)
		}
	}
	if s, err := InterpolateJSON(`event.data.deep == async.data.x`, event); err == nil {
		t.Errorf("interpolating a huge value gives %d bytes", len(s))
	}
	if s, err := InterpolateJSON(`event.data.s == async.data.x`, event); err == nil {
		t.Errorf("interpolating a huge string gives %d bytes", len(s))
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				e, err := Compile(fmt.Sprintf(`event.n == %d && event.l.exists(x, x == "v%d")`, i, g))
				if err != nil {
					t.Error(err)
					return
				}
				ev := fmt.Appendf(nil, `{"n":%d,"l":["a","v%d"]}`, i, g)
				if ok, err := e.BoolJSON(JSON{Event: ev}); !ok || err != nil {
					t.Errorf("%s over %s: %v, %v", e.Source(), ev, ok, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAllocs(t *testing.T) {
	for _, src := range []string{`event.data.amount > 100`, `event.data.plan == "pro" && event.data.amount >= 10`} {
		e, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		v := JSON{Event: bigEvent}
		if n := testing.AllocsPerRun(200, func() {
			if ok, err := e.BoolJSON(v); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}); n > 0.5 { // the pool may be emptied by a garbage collection
			t.Errorf("%s: %v allocations", src, n)
		}
	}
}

// More attributes and variables than a pooled context has room for.
func TestManySlots(t *testing.T) {
	t.Parallel()
	var parts []string
	m := map[string]any{}
	for i := range 40 {
		parts = append(parts, fmt.Sprintf(`event.f%d == %d && [%d].exists(x, x == event.f%d)`, i, i, i, i))
		m[fmt.Sprintf("f%d", i)] = i
	}
	ev, _ := json.Marshal(m)
	if v, err := eval(t, strings.Join(parts, " && "), string(ev), ""); v != true || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestProjection(t *testing.T) {
	t.Parallel()
	p := NewProjection([][]string{{"data", "id"}, {"data", "n"}, {"name"}, {"data", "id"}, {"data"}, {"data", "none"}, {"data", "id", "x"}, {"data", "z"}, {"data", "ok"}})
	out := make([]Scalar, 9)
	p.Scan([]byte(`{"data":{"id":"a\u0062","n":5,"z":-0,"ok":true},"name":"e"}`), out)
	num := func(f float64) Scalar { return Scalar{Kind: NumberScalar, Num: math.Float64bits(f)} }
	ab := Scalar{Kind: StringScalar, Str: "ab"}
	want := []Scalar{ab, num(5), {Kind: StringScalar, Str: "e"}, ab, {}, {}, {}, num(0), {Kind: BoolScalar, Num: 1}}
	if !slices.Equal(out, want) {
		t.Errorf("got %v, want %v", out, want)
	}
	for _, event := range []string{"", "[]", "{", `{"data"`, `{"data":`, `{"data":{"id":"`, `{"data":{"id":}}`} {
		p.Scan([]byte(event), out)
		for i, s := range out {
			if s != (Scalar{}) {
				t.Errorf("%q: path %d has %v", event, i, s)
			}
		}
	}
}

func TestVisitEqualities(t *testing.T) {
	t.Parallel()
	e, err := Compile(`async.a == "x" && 1 == async.b && async.c == false && async.d == -0.0`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	e.VisitEqualities(func(path []string, s Scalar) { got = append(got, fmt.Sprint(path, s)) })
	want := []string{`[a] {3 0 x}`, `[b] {2 4607182418800017408 }`, `[c] {1 0 }`, `[d] {2 0 }`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"a":                              `"a"`,
		"\"\\\n\r\t":                     `"\"\\\n\r\t"`,
		"\x00\x7f\u00e9\u200b\U0001F600": `"\u0000\u007fé\u200b😀"`,
		"\U000e0001":                     `"\U000e0001"`,
		"\ufffd":                         "\"\ufffd\"",
		"bad \xff":                       "\"bad \ufffd\"",
	} {
		if got := quote(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
		e, err := Compile(quote(s))
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.Value(Vars{}); v != strings.ToValidUTF8(s, "\ufffd") || err != nil {
			t.Errorf("%q is read back as %q, %v", s, v, err)
		}
	}
}

func TestPrintDouble(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{0, 1, -1, 0.1, 1e-7, 1e20, 1e21, 1e22, -1e300, 5e-324, math.MaxFloat64, 123456789012345678, math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
		e, err := Compile(printDouble(f).s)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if v, err := e.Value(Vars{}); v != f || err != nil {
			t.Errorf("%v is printed as %s, which is %v", f, e.Source(), v)
		}
	}
}
