package objective

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ingot/loadgen/result"
)

// good is a result that every objective is content with: request latencies of 1 to
// 1000 µs.
func good() *result.Result {
	h := result.NewHistogram()
	for us := int64(1); us <= 1000; us++ {
		_ = h.RecordValue(us)
	}
	r := &result.Result{
		Window:  10,
		Counts:  result.Counts{Events: 1000, Accepted: 1000, Expected: 1000, Completed: 1000},
		Latency: map[string]*result.Histogram{result.Request: h, result.Step: result.NewHistogram()},
	}
	for i := range 10 {
		r.Series = append(r.Series, result.Sample{At: result.Seconds(i), Backlog: 5})
	}
	return r
}

func TestParseAndString(t *testing.T) {
	t.Parallel()
	const implied = "errors = 0, lost = 0, backlog stable"
	for text, want := range map[string]string{
		"first_call p99 < 50ms":                   "first_call p99 < 50ms, " + implied,
		" request  p99.9<3ms ":                    "request p99.9 < 3ms, " + implied,
		"request p100 <=1s,step p50 <= 300us":     "request p100 <= 1s, step p50 <= 300µs, " + implied,
		"lost = 0, wake p0.5 < 1h,backlog stable": "wake p0.5 < 1h0m0s, " + implied,
		"errors=0": implied,
	} {
		o, err := Parse(text)
		if err != nil || o.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, o.String(), err, want)
		}
		if again, err := Parse(want); err != nil || again.String() != want {
			t.Errorf("%q: %q, %v", want, again.String(), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "a clause is empty",
		"errors = 0,":             "a clause is empty",
		"errors = 1":              `"errors = 1" is none of`,
		"lost < 3":                `is none of`,
		"request p99":             `"request p99" is none of`,
		"request p99 > 3ms":       `is none of`,
		"request p99 << 3ms":      `is none of`,
		"request p99 < 3 ms":      `is none of`,
		"requests p99 < 3ms":      `latency: "requests" is none of request, service,`,
		"request 99 < 3ms":        `quantile: "99" is not of the form`,
		"request p0 < 3ms":        "quantile: it is not above 0 and at most 100",
		"request p100.1 < 3ms":    "quantile: it is not above 0",
		"request pNaN < 3ms":      "quantile: it is not above 0",
		"request p99 < 3":         "limit: time: missing unit",
		"request p99 < 0s":        "limit: 0s is not from 1µs to 1h0m0s",
		"step p9 < 1s, wake p1 <": `is none of`,
	} {
		if o, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, o, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		text   string
		spoil  func(r *result.Result)
		reason string // "" if the objective is met
	}{
		{"errors = 0", func(*result.Result) {}, ""},
		{"request p99 < 991us", func(*result.Result) {}, ""},
		{"request p99 < 990us", func(*result.Result) {}, "The result has request p99 = 990µs."},
		{"request p99 <= 990us", func(*result.Result) {}, ""},
		{"step p50 < 1s", func(*result.Result) {}, "No step latency was measured."},
		{"wake p50 < 1s, request p50 < 1us", func(*result.Result) {}, "No wake latency was measured; the result has request p50 = 500µs."},
		{"lost = 0", func(r *result.Result) { r.Counts.Lost = 3 }, "3 of 1000 accepted events were lost."},
		{"lost = 0", func(r *result.Result) { r.Counts.Refused = 3 }, "Of 1000 events 3 were refused and 0 not answered."},
		{"lost = 0", func(r *result.Result) { r.Counts.Unknown = 2 }, "Of 1000 events 0 were refused and 2 not answered."},
		{"lost = 0", func(r *result.Result) { r.Errors = map[string]int64{"a": 1, "timeout": 7} }, `There were errors, 7 of them "timeout".`},
		{"lost = 0", func(r *result.Result) { r.Counts.Unsent = 4 }, "4 requests were not sent in time."},
		{"lost = 0", func(r *result.Result) { r.Counts.Events = 0 }, "Nothing was sent."},
		{"lost = 0", func(r *result.Result) { r.Interrupted = true }, "The run was ended early."},
		{"lost = 0", func(r *result.Result) { ramp(r, 10) }, "The backlog grew by 10 runs per second."},
	} {
		o, err := Parse(x.text)
		if err != nil {
			t.Fatal(err)
		}
		r := good()
		x.spoil(r)
		got := o.Check(r)
		if got.Met != (x.reason == "") || got.Reason != x.reason || got.Text != o.String() {
			t.Errorf("%s: %+v; want %q", x.text, got, x.reason)
		}
	}
}

func ramp(r *result.Result, perSecond int64) {
	for i := range r.Series {
		r.Series[i].Backlog += int64(i) * perSecond
	}
}

// What Parse accepts it accepts again as String shows it, with the same meaning.
func TestStringIsParsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := bound{
			latency:   rapid.SampledFrom(latencies).Draw(t, "latency"),
			quantile:  float64(rapid.IntRange(1, 100_000).Draw(t, "quantile")) / 1000,
			inclusive: rapid.Bool().Draw(t, "inclusive"),
			limit:     time.Duration(rapid.Int64Range(int64(time.Microsecond), int64(maxLimit)).Draw(t, "limit")),
		}
		o, err := Parse(b.String())
		if err != nil || len(o.bounds) != 1 || o.bounds[0] != b {
			t.Fatalf("%s: %+v, %v", b, o, err)
		}
	})
}
