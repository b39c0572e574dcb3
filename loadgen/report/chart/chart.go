// Package chart draws the charts of reports as SVG: lines over a linear or
// logarithmic axis, and intervals around 1. Colours are classes (s0 to s7, and
// those of outcomes) that the style sheet of package page defines for light and
// dark.
//
// What is drawn, and why, lives in package report.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Series is the number of colours that can be told apart.
const Series = 8

// The drawing area in user units; a page scales it.
const (
	width, height                  = 520, 290
	left, right, top, bottom       = 62, 16, 12, 42
	plotWidth                      = width - left - right
	plotHeight                     = height - top - bottom
	hits                           = 60 // points per line that show their value when pointed at
	tickTarget                     = 5
	edge                           = 24 // half the width of a tick's text
	smallestSpread, logPad, linPad = 1e-9, 1.15, 1.06
)

// Point is one value of a line.
type Point struct{ X, Y float64 }

// Line is one series of a chart.
type Line struct {
	Name   string
	Color  int // 0 to Series-1
	Dashed bool
	Points []Point
	Marks  bool // points are drawn as dots, not connected
}

// Tick is a labelled place on an axis.
type Tick struct {
	At    float64
	Label string
}

// Axis is one of the two.
type Axis struct {
	Title string
	// Log makes it logarithmic, if all values are positive.
	Log bool
	// Ticks replace those chosen by the chart.
	Ticks []Tick
	// Format writes values; the default keeps three digits.
	Format func(float64) string
}

// Lines is a chart of lines.
type Lines struct {
	Label string // for those who do not see it
	X, Y  Axis
	Lines []Line
}

// Empty says that there is nothing to draw.
func (c Lines) Empty() bool {
	for _, l := range c.Lines {
		if len(l.Points) > 0 {
			return false
		}
	}
	return true
}

// SVG draws the chart.
func (c Lines) SVG() template.HTML {
	xs, ys := c.scales()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(c.Label))
	for _, t := range ys.ticks {
		y := top + plotHeight*(1-ys.at(t.At))
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y, y)
		fmt.Fprintf(&b, `<text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`, left-8, y+4, html.EscapeString(t.Label))
	}
	for _, t := range xs.ticks {
		x := left + plotWidth*xs.at(t.At)
		fmt.Fprintf(&b, `<line class="notch" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x, x, height-bottom, height-bottom+4)
		anchor := "middle"
		if x > width-right-edge { // or the text would be cut off
			x, anchor = width-right, "end"
		}
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%d" text-anchor="%s">%s</text>`, x, height-bottom+17, anchor, html.EscapeString(t.Label))
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`, left, width-right, height-bottom, height-bottom)
	fmt.Fprintf(&b, `<text class="label" x="%d" y="%d" text-anchor="end">%s</text>`, width-right, height-6, html.EscapeString(c.X.Title))
	for _, l := range c.Lines {
		l.draw(&b, xs, ys, c.X, c.Y)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // all texts above are escaped
}

func (l Line) draw(b *strings.Builder, xs, ys scale, xAxis, yAxis Axis) {
	class := fmt.Sprintf("s%d", l.Color%Series)
	place := func(p Point) (x, y float64) { return left + plotWidth*xs.at(p.X), top + plotHeight*(1-ys.at(p.Y)) }
	if !l.Marks && len(l.Points) > 0 {
		var path strings.Builder
		for i, p := range l.Points {
			x, y := place(p)
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
		}
		dashed := ""
		if l.Dashed {
			dashed = " dashed"
		}
		fmt.Fprintf(b, `<path class="line %s%s" d="%s"/>`, class, dashed, path.String())
	}
	every := max(1, (len(l.Points)+hits-1)/hits)
	for i := 0; i < len(l.Points); i += every {
		x, y := place(l.Points[i])
		kind, radius := "hit", 7.0
		if l.Marks {
			kind, radius = "mark", 4.5
		}
		fmt.Fprintf(b, `<circle class="%s %s" cx="%.1f" cy="%.1f" r="%g"><title>%s: %s at %s</title></circle>`, kind, class, x, y, radius,
			html.EscapeString(l.Name), html.EscapeString(yAxis.text(l.Points[i].Y)), html.EscapeString(xAxis.text(l.Points[i].X)))
	}
}

func (a Axis) text(v float64) string {
	if a.Format != nil {
		return a.Format(v)
	}
	return fmt.Sprintf("%.3g", v)
}

// scales fits both axes to the points.
func (c Lines) scales() (x, y scale) {
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		for _, p := range l.Points {
			minX, maxX = min(minX, p.X), max(maxX, p.X)
			minY, maxY = min(minY, p.Y), max(maxY, p.Y)
		}
	}
	if c.Empty() {
		minX, maxX, minY, maxY = 0, 1, 0, 1
	}
	for _, t := range c.X.Ticks {
		minX, maxX = min(minX, t.At), max(maxX, t.At)
	}
	x = newScale(c.X, minX, maxX)
	if c.Y.Log && minY > 0 {
		return x, newScale(c.Y, minY/logPad, maxY*logPad)
	}
	return x, newScale(c.Y, min(0, minY), maxY*linPad)
}
