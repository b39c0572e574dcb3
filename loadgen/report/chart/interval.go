package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

const (
	barWidth, barHeight = 360, 26
	barPad              = 6
)

// Factors is the common logarithmic axis of intervals: from 1/Most to Most, with
// 1 in the middle.
type Factors struct{ Most float64 }

// NewFactors covers the given factors, at least a tenth to each side and at most
// a factor of 10,000.
func NewFactors(values ...float64) Factors {
	most := 1.1
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 1) {
			most = max(most, v, 1/v)
		}
	}
	return Factors{min(most*1.05, 10_000)}
}

func (f Factors) at(v float64) float64 {
	p := 0.5 + math.Log(math.Max(v, 1e-300))/math.Log(f.Most)/2
	return barPad + (barWidth-2*barPad)*math.Min(1, math.Max(0, p))
}

// Ticks draws the axis: how many times worse to the left, better to the right.
func (f Factors) Ticks() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="factor" viewBox="0 0 %d %d" aria-hidden="true">`, barWidth, barHeight)
	label := func(at float64, anchor, text string) {
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="17" text-anchor="%s">%s</text>`, at, anchor, text)
	}
	label(barPad, "start", "← worse")
	label(barWidth-barPad, "end", "better →")
	label(f.at(1), "middle", "equal")
	for _, v := range f.marks() {
		label(f.at(v), "middle", fmt.Sprintf("%gx", v))
		label(f.at(1/v), "middle", fmt.Sprintf("%gx", v))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// marks are at most two factors that have room between the words of the axis.
func (f Factors) marks() []float64 {
	var marks []float64
	for _, v := range []float64{1.05, 1.2, 1.5, 2, 3, 5, 10, 30, 100, 1000} {
		if p := math.Log(v) / math.Log(f.Most); p > 0.3 && p < 0.66 {
			marks = []float64{v}
		}
	}
	return marks
}

// Interval is a factor with its bounds, drawn as a bar from 1 with a whisker.
type Interval struct {
	Estimate, Low, High float64
	Class               string // of the style sheet
	Label               string
}

// SVG draws it on f.
func (i Interval) SVG(f Factors) template.HTML {
	var b strings.Builder
	const middle = barHeight / 2
	fmt.Fprintf(&b, `<svg class="factor" viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title>`,
		barWidth, barHeight, html.EscapeString(i.Label), html.EscapeString(i.Label))
	for _, v := range f.marks() {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="0" y2="%d"/>`, f.at(v), f.at(v), barHeight)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="0" y2="%d"/>`, f.at(1/v), f.at(1/v), barHeight)
	}
	class := html.EscapeString(i.Class)
	one, at := f.at(1), f.at(i.Estimate)
	fmt.Fprintf(&b, `<rect class="bar %s" x="%.1f" y="%d" width="%.1f" height="12" rx="2"/>`, class, min(one, at), middle-6, math.Abs(at-one))
	fmt.Fprintf(&b, `<line class="one" x1="%.1f" x2="%.1f" y1="0" y2="%d"/>`, one, one, barHeight)
	if i.Low > 0 {
		low, high := f.at(i.Low), f.at(i.High)
		fmt.Fprintf(&b, `<path class="whisker" d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8"/>`, low, middle, high, low, middle-4, high, middle-4)
	}
	fmt.Fprintf(&b, `<circle class="dot %s" cx="%.1f" cy="%d" r="4"/></svg>`, class, at, middle)
	return template.HTML(b.String())
}
