package search

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

// server is a simulated one: it holds what its answer says.
type server struct {
	rates  []float64 // as they were tried
	answer func(rate float64) (holds bool)
	// saturated says at which rates the generator is the one that fails.
	saturated func(rate float64) bool
}

func (s *server) probe(_ context.Context, rate float64) (*result.Result, error) {
	s.rates = append(s.rates, rate)
	r := &result.Result{Pacing: result.Pacing{Rate: rate}, Objective: &result.Objective{Met: true}}
	if !s.answer(rate) {
		r.Objective = &result.Objective{Reason: fmt.Sprintf("Too slow at %.0f.", rate)}
	}
	r.Generator.Saturated = s.saturated != nil && s.saturated(rate)
	return r, nil
}

// cliff is a server that holds every rate up to its capacity.
func cliff(capacity float64) *server {
	return &server{answer: func(rate float64) bool { return rate <= capacity }}
}

func find(t *testing.T, s *server, o Options) Outcome {
	t.Helper()
	o.Probe = s.probe
	got, err := Max(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Probes) != len(s.rates) {
		t.Errorf("%d probes are reported, %d were made", len(got.Probes), len(s.rates))
	}
	if (got.Rate > 0) != (got.Best != nil) || got.Best != nil && (got.Best.Pacing.Rate != got.Rate || !got.Best.Objective.Met) {
		t.Errorf("the rate is %g, the best result %+v", got.Rate, got.Best)
	}
	return got
}

func TestCliff(t *testing.T) {
	t.Parallel()
	for _, capacity := range []float64{100, 101, 199, 200, 201, 5_000, 12_345, 99_999} {
		s := cliff(capacity)
		got := find(t, s, Options{From: 100, To: 100_000, Confirm: 2})
		if got.Rate > capacity || got.Rate*(1+DefaultPrecision) < capacity {
			t.Errorf("capacity %g: found %g", capacity, got.Rate)
		}
		if !strings.Contains(got.LimitedBy, "the objective was not met. Too slow at") {
			t.Errorf("capacity %g: %s", capacity, got.LimitedBy)
		}
		// Doublings and halvings, each failure twice, two confirmations.
		if most := int(math.Log2(1000)) + 2 + 2*6 + 2; len(s.rates) > most {
			t.Errorf("capacity %g: %d probes: %.0f", capacity, len(s.rates), s.rates)
		}
		if !slices.Equal(s.rates[len(s.rates)-2:], []float64{got.Rate, got.Rate}) {
			t.Errorf("capacity %g: %g was not confirmed: %.0f", capacity, got.Rate, s.rates)
		}
	}
}

func TestPrecision(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{1, 0.1, 0.01, 0.001} {
		got := find(t, cliff(7777), Options{From: 10, To: 1e6, Precision: p})
		if got.Rate > 7777 || got.Rate*(1+p) < 7777 {
			t.Errorf("precision %g: %g", p, got.Rate)
		}
	}
}

func TestNeverFails(t *testing.T) {
	t.Parallel()
	s := cliff(math.Inf(1))
	got := find(t, s, Options{From: 100, To: 1000, Confirm: 1})
	if got.Rate != 1000 || got.LimitedBy != "The search was not to go above 1000 requests per second, which held." {
		t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
	}
	if want := []float64{100, 200, 400, 800, 1000, 1000}; !slices.Equal(s.rates, want) {
		t.Errorf("tried %v", s.rates)
	}
}

func TestFailsAtOnce(t *testing.T) {
	t.Parallel()
	s := cliff(99)
	got := find(t, s, Options{From: 100, To: 1000, Confirm: 3})
	if got.Rate != 0 || got.LimitedBy != "At 100 requests per second the objective was not met. Too slow at 100." {
		t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
	}
	if !slices.Equal(s.rates, []float64{100, 100}) {
		t.Errorf("tried %v", s.rates)
	}
}

// One bad probe in ten does not move the result much; without the second attempts
// most searches would end far below.
func TestNoise(t *testing.T) {
	t.Parallel()
	const capacity, trials = 10_000, 500
	far := 0
	for seed := range uint64(trials) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := &server{answer: func(rate float64) bool { return rate <= capacity && rng.Float64() > 0.1 }}
		if got := find(t, s, Options{From: 100, To: 1e6, Confirm: 1}); got.Rate < 0.9*capacity {
			far++
		}
	}
	if far > trials/5 { // twelve rates hold, each is disbelieved in one case of a hundred
		t.Errorf("%d of %d searches ended far below the capacity", far, trials)
	}
}

// A server whose luck is the less, the faster it is driven, is confirmed where it
// holds again and again.
func TestConfirmationGoesDown(t *testing.T) {
	t.Parallel()
	unconfirmed := func(confirm int) (mean float64) {
		const trials = 200
		for seed := range uint64(trials) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := &server{answer: func(rate float64) bool { return rng.Float64() > (rate-1000)/9000 }}
			mean += find(t, s, Options{From: 100, To: 1e5, Confirm: confirm}).Rate / trials
		}
		return mean
	}
	if none, five := unconfirmed(0), unconfirmed(5); five > 0.9*none {
		t.Errorf("the mean rate is %.0f without and %.0f with five confirmations", none, five)
	}
}

func TestFirstConfirmationFails(t *testing.T) {
	t.Parallel()
	tried := 0
	s := &server{answer: func(rate float64) bool {
		if rate == 800 {
			tried++
		}
		return rate < 800 || rate == 800 && tried == 1
	}}
	got := find(t, s, Options{From: 100, To: 800, Precision: 0.1, Confirm: 2})
	if got.Rate < 800/1.1 || got.Rate >= 800 || !strings.Contains(got.LimitedBy, "At 800 requests") {
		t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
	}
}

func TestSaturatedGenerator(t *testing.T) {
	t.Parallel()
	t.Run("it is named", func(t *testing.T) {
		t.Parallel()
		s := cliff(math.Inf(1))
		s.saturated = func(rate float64) bool { return rate > 5000 }
		got := find(t, s, Options{From: 100, To: 1e6})
		if got.Rate > 5000 || got.Rate < 4500 || !strings.Contains(got.LimitedBy, "the generator could not keep the pace by itself") {
			t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
		}
	})
	t.Run("also if one attempt was the server's", func(t *testing.T) {
		t.Parallel()
		s, probes := cliff(50), 0
		s.saturated = func(float64) bool { probes++; return probes == 1 }
		if got := find(t, s, Options{From: 100, To: 1e6}); !strings.Contains(got.LimitedBy, "the generator") {
			t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
		}
	})
	t.Run("not if it did later", func(t *testing.T) {
		t.Parallel()
		s := cliff(5000)
		s.saturated = func(rate float64) bool { return rate > 6000 }
		got := find(t, s, Options{From: 100, To: 1e6})
		if got.Rate > 5000 || got.Rate < 4700 || !strings.Contains(got.LimitedBy, "Too slow at") {
			t.Errorf("got %g: %s", got.Rate, got.LimitedBy)
		}
	})
}

// Probes that contradict each other for ever come to an end.
func TestContradictions(t *testing.T) {
	t.Parallel()
	seen := map[float64]int{}
	s := &server{answer: func(rate float64) bool { seen[rate]++; return seen[rate] == 1 }}
	_, err := Max(t.Context(), Options{From: 1, To: 1e12, Precision: minPrecision, Confirm: 1, Probe: s.probe})
	if err == nil || !strings.Contains(err.Error(), "200 runs contradict each other") || len(s.rates) != MaxProbes {
		t.Errorf("%d probes: %v", len(s.rates), err)
	}
}

func TestErrorsEndTheSearch(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, x := range map[string]struct {
		fifth func(r *result.Result, cancel func()) (*result.Result, error)
		want  string
	}{
		"error":        {func(*result.Result, func()) (*result.Result, error) { return nil, broken }, "at 1600 requests per second: broken"},
		"no objective": {func(r *result.Result, _ func()) (*result.Result, error) { r.Objective = nil; return r, nil }, "not held against an objective"},
		"interrupted":  {func(r *result.Result, _ func()) (*result.Result, error) { r.Interrupted = true; return r, nil }, "was ended early"},
		"cancelled":    {func(r *result.Result, cancel func()) (*result.Result, error) { cancel(); return r, nil }, "context canceled"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s, n := cliff(math.Inf(1)), 0
		got, err := Max(ctx, Options{From: 100, To: 1e6, Log: t.Logf, Probe: func(ctx context.Context, rate float64) (*result.Result, error) {
			r, err := s.probe(ctx, rate)
			if n++; n == 5 {
				return x.fifth(r, cancel)
			}
			return r, err
		}})
		cancel()
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got.Rate < 800 || got.Best == nil || got.LimitedBy != "The search was ended before a rate failed." {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	probe := cliff(1).probe
	for want, o := range map[string]Options{
		"search: From is 0, not above 0":       {From: 0, To: 1, Probe: probe},
		"From is NaN":                          {From: math.NaN(), To: 1, Probe: probe},
		"To is 1, not a rate of at least From": {From: 2, To: 1, Probe: probe},
		"To is +Inf":                           {From: 2, To: math.Inf(1), Probe: probe},
		"Precision is 1e-05, not from 0.001":   {From: 1, To: 2, Precision: 1e-5, Probe: probe},
		"Precision is 2":                       {From: 1, To: 2, Precision: 2, Probe: probe},
		"Confirm is -1, not from 0 to 200":     {From: 1, To: 2, Confirm: -1, Probe: probe},
		"search: Probe is missing":             {From: 1, To: 2},
	} {
		if _, err := Max(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", o, err, want)
		}
	}
}

func TestRateText(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]string{0.5: "0.50", 12.34: "12.34", 1234.5: "1235", 1e7: "10000000"} {
		if got := rateText(rate); got != want {
			t.Errorf("%g: %s", rate, got)
		}
	}
}
