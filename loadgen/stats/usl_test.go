package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func curve(u USL, ns ...float64) []Point {
	var points []Point
	for _, n := range ns {
		points = append(points, Point{n, u.At(n)})
	}
	return points
}

// TestFitKnownData: the measurements that Gunther's book fits (ray tracer on an
// SGI Origin 2000, "Guerrilla Capacity Planning", table 5.1).
func TestFitKnownData(t *testing.T) {
	t.Parallel()
	u, err := FitUSL([]Point{{1, 20}, {4, 78}, {8, 130}, {12, 170}, {16, 190}, {20, 200}, {24, 210}, {28, 230}, {32, 260}, {48, 280}, {64, 310}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "sigma", u.Sigma, 0.05, 0.01)
	near(t, "lambda", u.Lambda, 21.5, 2)
	if u.R2 < 0.98 || u.Kappa > 1e-4 || u.Distinct != 11 || u.MaxN != 64 {
		t.Errorf("got %+v", u)
	}
}

func TestFitRecoversCoefficients(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := USL{
			Lambda: rapid.Float64Range(1, 1e5).Draw(t, "lambda"),
			Sigma:  rapid.Float64Range(0, 0.5).Draw(t, "sigma"),
			Kappa:  rapid.Float64Range(0, 0.02).Draw(t, "kappa"),
		}
		got, err := FitUSL(curve(want, 1, 2, 3, 4, 8, 16, 32))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Lambda/want.Lambda-1) > 1e-4 || math.Abs(got.Sigma-want.Sigma) > 1e-4 || math.Abs(got.Kappa-want.Kappa) > 1e-5 {
			t.Fatalf("want %+v, got %+v", want, got)
		}
	})
}

// TestFitWithNoise: coefficients stay admissible, and the fit is no worse than
// the curve that made the data.
func TestFitWithNoise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := USL{Lambda: 1000, Sigma: rapid.Float64Range(0, 0.3).Draw(t, "sigma"), Kappa: rapid.Float64Range(0, 0.01).Draw(t, "kappa")}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		points := curve(truth, 1, 2, 4, 8, 16, 32)
		for i := range points {
			points[i].X *= 1 + 0.1*(random.Float64()-0.5)
		}
		u, err := FitUSL(points)
		if err != nil {
			t.Fatal(err)
		}
		if u.Lambda <= 0 || u.Sigma < 0 || u.Kappa < 0 || u.R2 > 1 {
			t.Fatalf("got %+v", u)
		}
		if squares(points, u) > squares(points, truth)*(1+1e-6) {
			t.Fatalf("%+v is worse than the truth %+v", u, truth)
		}
	})
}

func TestPeak(t *testing.T) {
	t.Parallel()
	u := USL{Lambda: 100, Sigma: 0.04, Kappa: 0.0024}
	n, ok := u.Peak()
	if !ok || math.Abs(n-20) > 1e-9 {
		t.Errorf("peak at %v, %v", n, ok)
	}
	if u.At(n) < u.At(n-1) || u.At(n) < u.At(n+1) {
		t.Error("it is no peak")
	}
	if _, ok := (USL{Lambda: 1, Sigma: 0.1}).Peak(); ok {
		t.Error("a curve without coherence costs has a peak")
	}
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	for want, points := range map[string][]Point{
		"2 different N":    {{1, 10}, {2, 20}, {2, 19}},
		"0 different N":    nil,
		"must both be pos": {{1, 10}, {2, 20}, {4, 0}},
		"at N = -1":        {{-1, 10}, {2, 20}, {4, 2}},
	} {
		if _, err := FitUSL(points); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", points, err)
		}
	}
}
