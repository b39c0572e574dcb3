package capacity

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// measured makes a result of a steps workload: rate runs/s reached with cores.
func measured(rate float64, cores int, met bool) *result.Result {
	h := result.NewHistogram()
	for i := range 1000 {
		if err := h.RecordValue(int64(1000 + i)); err != nil {
			panic(err)
		}
	}
	n := int64(rate * 10)
	r := &result.Result{
		Schema: result.Schema, Started: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Window: 10,
		Machine: result.Machine{CPU: "Some CPU", Cores: cores, Memory: 16 << 30, OS: "linux/amd64"},
		Target:  result.Target{Name: "ingot", PID: 1}, Workload: result.Workload{Name: "steps", Parameters: map[string]string{"steps": "3"}},
		Pacing:     result.Pacing{Kind: "constant", Rate: rate, Clients: 64, Batch: 1},
		Counts:     result.Counts{Events: n, Accepted: n, Expected: n, Completed: n},
		Throughput: result.Throughput{Events: rate, Runs: rate}, Latency: map[string]*result.Histogram{result.Complete: h, result.Request: h},
		Server:    result.Usage{CPUSeconds: 1, CPUPerRun: 0.36, CPUPerEvent: 360, Cores: rate * 0.36e-3, RSSMax: 2e9, WrittenBytes: 500 * n, BytesPerRun: 500, Fsyncs: n, FsyncsPerRun: 1},
		Objective: &result.Objective{Text: "first_call p99 < 50ms", Met: met},
	}
	if !met {
		r.Objective.Reason = "first_call p99 was 80 ms"
	}
	return r
}

func plan(t *testing.T, c Config, rs ...*result.Result) *Plan {
	t.Helper()
	var inputs []Input
	for _, r := range rs {
		inputs = append(inputs, Input{Result: r})
	}
	p, err := New(inputs, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSustainedRatePerObjective(t *testing.T) {
	t.Parallel()
	strict := measured(800, 4, true)
	strict.Objective.Text = "first_call p99 < 5ms"
	p := plan(t, Config{}, measured(1000, 4, true), measured(4000, 4, false), measured(2000, 4, true), measured(3000, 4, false), strict).Parts[0]
	if len(p.Sustained) != 2 {
		t.Fatalf("got %+v", p.Sustained)
	}
	if s := p.Sustained[0]; s.Rate != 2000 || s.FailedAt != 3000 || s.Reason != "first_call p99 was 80 ms" {
		t.Errorf("got %+v", s)
	}
	if s := p.Sustained[1]; s.Rate != 800 || s.FailedAt != 0 {
		t.Errorf("got %+v", s)
	}
	if p.Knee != 2000 || !p.Proven || p.Operating() != 1200 || p.Unit != "runs" {
		t.Errorf("knee %v, proven %v", p.Knee, p.Proven)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	failed := measured(3000, 4, false)
	for want, change := range map[string]func(*result.Result){
		"server CPU":  func(r *result.Result) { r.Server.Cores = 3.6 },
		"machine CPU": func(r *result.Result) { r.Server.Cores, r.Generator.Cores = 2, 1.8 },
		"generator":   func(r *result.Result) { r.Server.Cores, r.Generator.Saturated = 3.6, true },
		"Redis":       func(r *result.Result) { r.Redis = &result.Redis{CPUSeconds: 9} },
		"disk":        func(r *result.Result) { r.Server.Fsyncs = 49_000 },
		"unknown":     func(*result.Result) {},
	} {
		r := measured(2000, 4, true)
		change(r)
		if l := plan(t, Config{DiskFsyncs: 5000}, r, failed).Parts[0].Limit; l.Resource != want || l.Text == "" {
			t.Errorf("want %s, got %+v", want, l)
		}
	}
	if l := plan(t, Config{}, measured(2000, 4, true)).Parts[0].Limit; l.Resource != "none" {
		t.Errorf("got %+v", l)
	}
	if l := plan(t, Config{}, failed).Parts[0].Limit; l.Resource != "unknown" {
		t.Errorf("got %+v", l)
	}
}

func TestScalingByCores(t *testing.T) {
	t.Parallel()
	law := stats.USL{Lambda: 1000, Sigma: 0.05, Kappa: 0.002}
	var rs []*result.Result
	for _, n := range []int{1, 2, 4, 8} {
		rs = append(rs, measured(law.At(float64(n)), n, true), measured(law.At(float64(n))/2, n, true), measured(law.At(float64(n))*2, n, false))
	}
	s := plan(t, Config{}, rs...).Parts[0].Scaling
	if s.By != "cores" || s.Fit == nil || len(s.Points) != 4 {
		t.Fatalf("got %+v", s)
	}
	if math.Abs(s.Fit.Sigma-law.Sigma) > 1e-4 || math.Abs(s.Fit.Kappa-law.Kappa) > 1e-5 {
		t.Errorf("got %+v", s.Fit)
	}
	if !strings.Contains(s.Trust(), "measured up to N = 8") {
		t.Error(s.Trust())
	}
}

func TestScalingByGivenNumberAndParameter(t *testing.T) {
	t.Parallel()
	var given, parameter []Input
	for _, n := range []float64{1, 2, 3} {
		given = append(given, Input{measured(1000*n, 4, true), n})
		r := measured(1000*n, 4, true)
		r.Workload.Parameters["functions"] = fmt.Sprint(n)
		parameter = append(parameter, Input{Result: r})
	}
	for by, inputs := range map[string][]Input{"nodes": given, "functions": parameter} {
		p, err := New(inputs, Config{By: by})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Parts) != 1 || p.Parts[0].Scaling.Fit == nil || p.Parts[0].Scaling.By != by || p.Parts[0].Scaling.Points[2].N != 3 {
			t.Errorf("%s: got %+v", by, p.Parts[0].Scaling)
		}
	}
	if text := (Scaling{Fit: &stats.USL{Distinct: 3, MaxN: 3}}).Trust(); !strings.Contains(text, "nothing checks it") {
		t.Error(text)
	}
}

func TestScalingRefused(t *testing.T) {
	t.Parallel()
	s := plan(t, Config{By: "cores"}, measured(1000, 4, true), measured(2000, 4, true)).Parts[0].Scaling
	if s.Fit != nil || !strings.Contains(s.Refused, "1 different N") {
		t.Errorf("got %+v", s)
	}
}

// TestRepetitionsAreNoScaling: the same load again and again differs by noise.
func TestRepetitionsAreNoScaling(t *testing.T) {
	t.Parallel()
	var rs []*result.Result
	for i := range 6 {
		r := measured(1000, 4, true)
		h := result.NewHistogram()
		if err := h.RecordValues(int64(1000+100*i), 100); err != nil {
			t.Fatal(err)
		}
		r.Latency = map[string]*result.Histogram{result.Complete: h}
		rs = append(rs, r)
	}
	s := plan(t, Config{}, rs...).Parts[0].Scaling
	if s.By != "concurrency" || s.Fit != nil || len(s.Points) != 1 || math.Abs(s.Points[0].N-1.25) > 0.01 {
		t.Errorf("got %+v", s)
	}
}

// TestUntriedRatesAreUnknown: a plan of a server that was not pushed must not say
// that it cannot do more.
func TestUntriedRatesAreUnknown(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := plan(t, Config{Expect: 5000}, measured(300, 4, true)).Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"At least 300 runs/s sustained", "is not known: no more than 300 runs/s were tried"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	p := plan(t, Config{Expect: 100, Prices: Prices{CoreHour: 0.04, GBHour: 0.005, DiskGBMonth: 0.1}}, measured(2000, 4, true)).Parts[0]
	for what, v := range map[string][2]float64{
		"core hours":  {p.Cost.CoreHours, 0.1},
		"used":        {p.Cost.Used, 0.004},
		"provisioned": {p.Cost.Provisioned, (4*0.04 + 2*0.005) * 1e6 / 1200 / 3600},
		"disk":        {p.Cost.DiskMonth, 0.05},
		"month":       {p.Cost.ExpectedDiskMonth, 500 * 100 * 30 * 86400},
	} {
		if math.Abs(v[0]/v[1]-1) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, v[0], v[1])
		}
	}
	if h := p.Headroom(Config{Expect: 100}); h != 20 {
		t.Errorf("head-room %v", h)
	}
	if n := p.Machines(Config{Expect: 5000}); n != 5 {
		t.Errorf("%v machines", n)
	}
	unseen := measured(2000, 4, true)
	unseen.Server = result.NoUsage()
	if k := plan(t, Config{Prices: Prices{CoreHour: 1}}, unseen).Parts[0].Cost; k.CoreHours >= 0 || k.DiskBytes >= 0 || k.Used >= 0 {
		t.Errorf("got %+v", k)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	law := stats.USL{Lambda: 1000, Sigma: 0.05, Kappa: 0.002}
	var rs []*result.Result
	for _, n := range []int{1, 2, 4, 8} {
		r := measured(law.At(float64(n)), n, true)
		r.Target.Name = `<script>alert(1)</script>|x`
		rs = append(rs, r)
	}
	failed := measured(9000, 8, false)
	failed.Target.Name = rs[0].Target.Name
	rs = append(rs, failed)
	other := measured(500, 4, true)
	other.Target.Name = "plain"
	pl := plan(t, Config{Expect: 20_000, Prices: Prices{CoreHour: 0.04}}, append(rs, other)...)
	var md, html bytes.Buffer
	if err := pl.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	if err := pl.HTML(&html); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"markdown": md.String(), "html": html.String()} {
		if strings.Contains(text, "<script") {
			t.Errorf("%s: a target's name is not escaped", name)
		}
		for _, want := range []string{"What it sustains", "What limits it", "What more cores would give", "What a million runs cost", "estimate", "more than one such machine sustains"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
	if !strings.Contains(html.String(), "<svg") {
		t.Error("the page has no chart")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, Config{}); err == nil {
		t.Error("a plan was made of nothing")
	}
	if _, err := New([]Input{{Result: measured(1, 1, true)}}, Config{Expect: -1}); err == nil || !strings.Contains(err.Error(), "expect is -1") {
		t.Error(err)
	}
}
