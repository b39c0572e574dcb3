package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestStudentKnownValues(t *testing.T) {
	t.Parallel()
	near(t, "t(2)", studentQuantile(0.05, 2), 4.302653, 1e-6)
	near(t, "t(4)", studentQuantile(0.05, 4), 2.776445, 1e-6)
	near(t, "t(30)", studentQuantile(0.05, 30), 2.042272, 1e-6)
	near(t, "tail of 2 at 10", studentTail(2, 10), 0.0733880, 1e-6)
	near(t, "tail of 0", studentTail(0, 3), 1, 1e-12)
	near(t, "tail of 1 at 1 (Cauchy)", studentTail(1, 1), 0.5, 1e-12)
}

func TestMedianAndMean(t *testing.T) {
	t.Parallel()
	near(t, "odd", Median([]float64{9, 1, 4}), 4, 0)
	near(t, "even", Median([]float64{9, 1, 4, 5}), 4.5, 0)
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestPairedRatioFindsAFactor(t *testing.T) {
	t.Parallel()
	base, other := []float64{100, 104, 98, 101, 99}, []float64{202, 205, 199, 203, 196}
	r, err := PairedRatio(base, other)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "estimate", r.Estimate, 2.0, 0.02)
	if r.Low < 1.9 || r.High > 2.1 || r.P > 1e-4 || r.Rounds != 5 {
		t.Errorf("got %+v", r)
	}
}

// TestPairingCancelsDrift: every round is 30 % slower than the one before, for both.
func TestPairingCancelsDrift(t *testing.T) {
	t.Parallel()
	var base, other []float64
	for i := range 4 {
		v := 100 * math.Pow(1.3, float64(i))
		base, other = append(base, v*(1+0.004*float64(i%2))), append(other, v*1.1)
	}
	r, err := PairedRatio(base, other)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "estimate", r.Estimate, 1.1, 0.005)
	if r.P > 0.001 {
		t.Errorf("p is %v", r.P)
	}
}

func TestPairedRatioEdges(t *testing.T) {
	t.Parallel()
	r, err := PairedRatio([]float64{5}, []float64{10})
	if err != nil || math.Abs(r.Estimate-2) > 1e-9 || r.Low != 0 || !math.IsInf(r.High, 1) || r.P != 1 {
		t.Errorf("one round: %+v, %v", r, err)
	}
	r, err = PairedRatio([]float64{5, 6, 7}, []float64{5, 6, 7})
	if err != nil || r.Estimate != 1 || r.Low != 1 || r.High != 1 || r.P != 1 {
		t.Errorf("equal rounds: %+v, %v", r, err)
	}
	for _, bad := range [][2][]float64{{nil, nil}, {{1}, {1, 2}}, {{1, 0}, {1, 1}}, {{1}, {math.NaN()}}, {{math.Inf(1)}, {1}}, {{-1}, {1}}} {
		if _, err := PairedRatio(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// TestIntervalCovers checks over many simulated comparisons of equal targets that
// the interval holds the true ratio as often as it says, also with few rounds.
func TestIntervalCovers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	for _, rounds := range []int{3, 5, 10} {
		const trials = 200
		held, small := 0, 0
		for range trials {
			base, other := make([]float64, rounds), make([]float64, rounds)
			for i := range base {
				base[i], other[i] = 10*math.Exp(0.2*random.NormFloat64()), 10*math.Exp(0.2*random.NormFloat64())
			}
			r, err := PairedRatio(base, other)
			if err != nil {
				t.Fatal(err)
			}
			if r.Low <= 1 && r.High >= 1 {
				held++
			}
			if r.P < 0.05 {
				small++
			}
		}
		if share := float64(held) / trials; share < 0.92 {
			t.Errorf("%d rounds: the interval held the truth in %.3f of the trials", rounds, share)
		}
		if share := float64(small) / trials; share > 0.085 {
			t.Errorf("%d rounds: %.3f of the trials look different at 5 %%", rounds, share)
		}
	}
}

func TestPairedRatioError(t *testing.T) {
	t.Parallel()
	// Logarithms 0, 0 and ln 2: a mean of ln(2)/3, a deviation of ln(2)/sqrt(3).
	r, err := PairedRatio([]float64{1, 2, 3}, []float64{1, 2, 6})
	if err != nil || math.Abs(r.Error-math.Ln2/3) > 1e-12 {
		t.Errorf("error %v, want %v (%v)", r.Error, math.Ln2/3, err)
	}
	if r, err = PairedRatio([]float64{1}, []float64{2}); err != nil || !math.IsInf(r.Error, 1) {
		t.Errorf("a single round has the error %v (%v)", r.Error, err)
	}
}

func TestSignFlip(t *testing.T) {
	t.Parallel()
	near(t, "all of one sign", signFlip([]float64{1, 1, 1, 1, 1, 1, 1, 1}), 2.0/256, 1e-12)
	near(t, "no difference", signFlip([]float64{1, -1, 1, -1}), 1, 1e-12)
	long := make([]float64, 100)
	for i := range long {
		long[i] = 1 + float64(i%3)
	}
	if p := signFlip(long); p <= 0 || p > 0.001 {
		t.Errorf("100 values of one sign: p is %v", p)
	}
}

func TestDiscoveries(t *testing.T) {
	t.Parallel()
	// The example of Benjamini and Hochberg (1995): 15 p-values, 4 believed at 5 %.
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	for i, found := range Discoveries(p, 0.05) {
		if found != (i < 4) {
			t.Errorf("number %d: %v", i, found)
		}
	}
	if len(Discoveries(nil, 0.05)) != 0 {
		t.Error("something was found in nothing")
	}
}

// TestPairedRatioIsSymmetric: exchanging the two inverts ratio and interval.
func TestPairedRatioIsSymmetric(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "rounds")
		values := rapid.SliceOfN(rapid.Float64Range(0.01, 1e6), n, n)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		r, err := PairedRatio(a, b)
		s, err2 := PairedRatio(b, a)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if math.Abs(r.Estimate*s.Estimate-1) > 1e-9 || math.Abs(r.Low*s.High-1) > 1e-6 || math.Abs(r.P-s.P) > 1e-9 {
			t.Fatalf("%+v against %+v", r, s)
		}
		if r.Low > r.Estimate*(1+1e-9) || r.High < r.Estimate*(1-1e-9) || r.P < 0 || r.P > 1 {
			t.Fatalf("got %+v", r)
		}
	})
}
