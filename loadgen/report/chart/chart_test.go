package chart

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTicks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		low, high float64
		log       bool
		want      []float64
	}{
		{0, 10, false, []float64{0, 2, 4, 6, 8, 10}},
		{0, 0.3, false, []float64{0, 0.1, 0.2, 0.3}},
		{-2, 11, false, []float64{0, 5, 10}},
		{0.3, 25, true, []float64{0.5, 1, 2, 5, 10, 20}},
		{0.5, 5000, true, []float64{1, 10, 100, 1000}},
	} {
		got := linearTicks(c.low, c.high)
		if c.log {
			got = logTicks(c.low, c.high)
		}
		if len(got) != len(c.want) {
			t.Errorf("%+v: got %v", c, got)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-9 {
				t.Errorf("%+v: got %v", c, got)
			}
		}
	}
}

// TestAnyChartIsDrawn: no values lead to places outside the drawing or that are
// no numbers.
func TestAnyChartIsDrawn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-1e9, 1e12)
		var c Lines
		c.X.Log, c.Y.Log = rapid.Bool().Draw(t, "log x"), rapid.Bool().Draw(t, "log y")
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			l := Line{Name: rapid.String().Draw(t, "name"), Color: rapid.IntRange(0, 20).Draw(t, "color")}
			for range rapid.IntRange(0, 5).Draw(t, "points") {
				l.Points = append(l.Points, Point{value.Draw(t, "x"), value.Draw(t, "y")})
			}
			c.Lines = append(c.Lines, l)
		}
		svg := string(c.SVG())
		if strings.Contains(svg, `"NaN"`) || strings.Contains(svg, "Inf") || strings.Contains(svg, `="-`) {
			t.Fatal(svg)
		}
	})
}

func TestTextIsEscaped(t *testing.T) {
	t.Parallel()
	c := Lines{Label: `"><x>`, X: Axis{Title: "<x>"}, Lines: []Line{{Name: "<x>", Points: []Point{{1, 1}}}}}
	i := Interval{Estimate: 2, Low: 1.5, High: 3, Class: `"><x>`, Label: "<x>"}
	if s := string(c.SVG() + i.SVG(NewFactors(2))); strings.Contains(s, "<x>") {
		t.Error(s)
	}
}

func TestFactors(t *testing.T) {
	t.Parallel()
	f := NewFactors(4, 0.5)
	if f.Most < 4 || f.Most > 5 {
		t.Errorf("axis to %v", f.Most)
	}
	if m := f.at(1); m != barWidth/2 {
		t.Errorf("1 is at %v", m)
	}
	if math.Abs(f.at(2)+f.at(0.5)-barWidth) > 1e-9 || f.at(1e9) != barWidth-barPad || f.at(0) != barPad {
		t.Error("the axis is not symmetric, or not bounded")
	}
	if most := NewFactors(math.Inf(1), 0, math.NaN()).Most; most > 1.2 {
		t.Error("what is no factor stretches the axis")
	}
}
