package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ingot/loadgen/result"
)

// synthetic makes a result whose every figure is scaled: slow by noise and factor.
func synthetic(random *rand.Rand, factor, noise float64) *result.Result {
	scale := func() float64 { return factor * math.Exp(noise*random.NormFloat64()) }
	latency := result.NewHistogram()
	s := scale()
	for range 2000 {
		if err := latency.RecordValue(int64(1 + 1000*s*random.ExpFloat64())); err != nil {
			panic(err)
		}
	}
	return &result.Result{
		Schema: result.Schema, Latency: map[string]*result.Histogram{result.Request: latency, result.FirstCall: latency},
		Pacing:     result.Pacing{Kind: "closed"},
		Counts:     result.Counts{Events: 2000, Accepted: 2000, Expected: 2000, Completed: 2000},
		Throughput: result.Throughput{Events: 5000 / scale(), Runs: 5000 / scale()},
		Server:     result.Usage{CPUPerRun: 0.1 * scale(), CPUPerEvent: 100 * scale(), RSSMax: int64(1e8 * scale()), BytesPerRun: 400 * scale(), FsyncsPerRun: 0},
	}
}

// against compares A with B, where B is slower by factor.
func against(t *testing.T, rounds int, factor, noise float64) *Comparison {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	c, err := Run(t.Context(), Config{Targets: []string{"A", "B"}, Rounds: rounds,
		Measure: func(_ context.Context, target string, _ int) (*result.Result, error) {
			if target == "B" {
				return synthetic(random, factor, noise), nil
			}
			return synthetic(random, 1, noise), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outcomes counts the verdicts on B, but for the fsyncs, which are 0.
func outcomes(c *Comparison) map[Outcome]int {
	n := map[Outcome]int{}
	for _, row := range c.Rows {
		if row.Metric != "fsyncs_per_run" {
			n[row.Figures[1].Versus.Outcome]++
		}
	}
	return n
}

func text(t *testing.T, c *Comparison, metric string) string {
	t.Helper()
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Metric == metric })
	if i < 0 {
		t.Fatalf("no row %s", metric)
	}
	return c.Rows[i].Figures[1].Versus.Text
}

func TestEqualTargetsShowNoDifference(t *testing.T) {
	t.Parallel()
	c := against(t, 8, 1, 0.02)
	n := outcomes(c)
	if n[Better]+n[Worse]+n[Perhaps] > 0 || n[Same] < len(c.Rows)/2 {
		t.Errorf("outcomes: %v", n)
	}
	if s := text(t, c, "cpu_per_run"); !strings.HasPrefix(s, "no difference (") {
		t.Error(s)
	}
	if s := text(t, c, "fsyncs_per_run"); s != "no difference (both 0)" {
		t.Error(s)
	}
}

func TestSlowerTargetIsFound(t *testing.T) {
	t.Parallel()
	c := against(t, 5, 2, 0.03)
	if n := outcomes(c); n[Worse] < len(c.Rows)-3 || n[Better] > 0 {
		t.Errorf("outcomes: %v", n)
	}
	for metric, want := range map[string][2]string{
		"runs_per_s": {"x slower (", ")"}, "first_call_p50": {"x slower (", ")"}, "cpu_per_run": {"x more (", ")"},
	} {
		if s := text(t, c, metric); !strings.Contains(s, want[0]) || !(strings.HasPrefix(s, "2.") || strings.HasPrefix(s, "1.9")) {
			t.Errorf("%s: %s", metric, s)
		}
	}
}

func TestNoiseIsTooGreat(t *testing.T) {
	t.Parallel()
	c := against(t, 5, 1.1, 0.6)
	if n := outcomes(c); n[Noise] < len(c.Rows)-3 || n[Better]+n[Worse] > 0 {
		t.Errorf("outcomes: %v", n)
	}
	if s := text(t, c, "runs_per_s"); !strings.HasPrefix(s, "noise too great to tell (") {
		t.Error(s)
	}
}

func TestOneRoundCannotTell(t *testing.T) {
	t.Parallel()
	c := against(t, 1, 2, 0)
	if s := text(t, c, "runs_per_s"); s != "one round cannot tell (0.50x)" {
		t.Error(s)
	}
}

func TestOrderAlternates(t *testing.T) {
	t.Parallel()
	var order, progress []string
	_, err := Run(t.Context(), Config{Targets: []string{"A", "B"}, Rounds: 3,
		Progress: func(s string) { progress = append(progress, s) },
		Measure: func(_ context.Context, target string, round int) (*result.Result, error) {
			order = append(order, fmt.Sprint(target, round))
			return &result.Result{}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "A1 B1 B2 A2 A3 B3" {
		t.Error(got)
	}
	if len(progress) != 6 || progress[2] != "round 2 of 3: B" {
		t.Error(progress)
	}
}

func TestFailedRoundsAreReported(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	c, err := Run(t.Context(), Config{Targets: []string{"A", "B"}, Rounds: 4,
		Measure: func(_ context.Context, target string, round int) (*result.Result, error) {
			if target == "B" && round%2 == 0 {
				return nil, errors.New("the server did not start")
			}
			r := synthetic(random, 1, 0.01)
			if target == "A" {
				r.Counts.Lost = 1
			}
			return r, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Failures) != 2 || c.Failures[0] != (Failure{"B", 2, "the server did not start"}) {
		t.Errorf("failures: %+v", c.Failures)
	}
	if v := c.Rows[0].Figures[1].Versus; v.Rounds != 2 || len(c.Rows[0].Figures[0].Values) != 4 {
		t.Errorf("compared %+v", v)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"B: no result: the server did not start (rounds 2, 4)", "A: accepted events were lost (rounds 1, 2, 3, 4)"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestCancellationKeepsWhatThereIs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	random := rand.New(rand.NewPCG(1, 1))
	calls := 0
	c, err := Run(ctx, Config{Targets: []string{"A", "B"}, Rounds: 100,
		Measure: func(context.Context, string, int) (*result.Result, error) {
			calls++
			r := synthetic(random, 1, 0.01)
			if calls == 6 {
				cancel()
				r.Interrupted = true
			}
			return r, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if calls != 6 || !c.Interrupted || len(c.Results) != 6 || c.Rows[0].Figures[1].Versus.Rounds != 2 {
		t.Errorf("%d calls, %d results, %+v", calls, len(c.Results), c.Rows[0].Figures[1].Versus)
	}
}

func TestUnmeasuredAndMixedZero(t *testing.T) {
	t.Parallel()
	c, err := Run(t.Context(), Config{Targets: []string{"A", "B"}, Rounds: 2,
		Measure: func(_ context.Context, target string, round int) (*result.Result, error) {
			r := &result.Result{Counts: result.Counts{Events: 1, Accepted: 1, Completed: 1}, Throughput: result.Throughput{Events: 10}, Server: result.NoUsage()}
			if target == "A" {
				r.Server = result.Usage{CPUPerRun: 1, FsyncsPerRun: float64(round - 1)}
			} else {
				r.Server.FsyncsPerRun = 1
			}
			return r, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if s := text(t, c, "cpu_per_run"); s != "not measured for both" {
		t.Error(s)
	}
	if s := text(t, c, "fsyncs_per_run"); s != "no ratio: 0 in some rounds" {
		t.Error(s)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	measure := func(context.Context, string, int) (*result.Result, error) { return nil, nil }
	for want, c := range map[string]Config{
		"1 targets":        {Targets: []string{"A"}, Rounds: 1, Measure: measure},
		`named "A"`:        {Targets: []string{"A", "A"}, Rounds: 1, Measure: measure},
		`named ""`:         {Targets: []string{"A", ""}, Rounds: 1, Measure: measure},
		"0 rounds":         {Targets: []string{"A", "B"}, Measure: measure},
		"Measure is nil":   {Targets: []string{"A", "B"}, Rounds: 1},
		"rounds, must be ": {Targets: []string{"A", "B"}, Rounds: maxRounds + 1, Measure: measure},
	} {
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestComparisonSurvivesJSON(t *testing.T) {
	t.Parallel()
	for _, rounds := range []int{1, 3} {
		in := against(t, rounds, 2, 0.01)
		b, err := in.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out, err := Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		b2, err := out.Marshal()
		if err != nil || string(b) != string(b2) {
			t.Errorf("the JSON changes (%v)", err)
		}
	}
	if c, err := Unmarshal([]byte(`{"schema":1}`)); c != nil || err != nil {
		t.Error("a result was taken for a comparison")
	}
	if _, err := Unmarshal([]byte(`{"comparison_schema":9}`)); err == nil {
		t.Error("a newer schema was read")
	}
	if _, err := Unmarshal([]byte(`{`)); err == nil {
		t.Error("broken JSON was read")
	}
}
