package capacity

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"ingot/loadgen/compare"
	"ingot/loadgen/report"
	"ingot/loadgen/report/chart"
	"ingot/loadgen/report/page"
)

//go:embed body.html
var files embed.FS

var bodyTemplate = template.Must(template.ParseFS(files, "body.html"))

// partView is one part of the page.
type partView struct {
	Heading  string // empty if the plan has one part, which the title names
	Tiles    []tile
	Sections []sectionView
}

type tile struct{ Name, Value, Unit string }

type sectionView struct {
	section
	SVG template.HTML
}

// HTML writes the plan as a self-contained page.
func (plan *Plan) HTML(w io.Writer) error {
	out := page.Page{Title: "Capacity plan", Kicker: "Capacity plan"}
	var views []partView
	for _, p := range plan.Parts {
		v := partView{Tiles: p.tiles(plan.Config)}
		if len(plan.Parts) > 1 {
			v.Heading = p.Target + ": " + p.Workload
		}
		for _, s := range p.sections(plan.Config) {
			view := sectionView{section: s}
			if s.Chart != nil {
				view.SVG = s.Chart.draw(p.Unit)
			}
			v.Sections = append(v.Sections, view)
		}
		out.Warnings = append(out.Warnings, p.warnings()...)
		views = append(views, v)
	}
	if len(plan.Parts) == 1 {
		p := plan.Parts[0]
		out.Title, out.Lede = p.Target+", "+p.Workload, p.origin()
	}
	var b bytes.Buffer
	if err := bodyTemplate.Execute(&b, views); err != nil {
		return fmt.Errorf("rendering a capacity plan: %w", err)
	}
	out.Body = template.HTML(b.String()) // made by a template that escapes
	return out.Render(w)
}

// origin says what the plan is made of.
func (p *Part) origin() string {
	m := p.inputs[0].Result.Machine
	return fmt.Sprintf("From %d results, the first of %s, on %s, %s.", len(p.inputs),
		p.inputs[0].Result.Started.UTC().Format("2006-01-02"), m.CPU, m.OS)
}

func (p *Part) tiles(c Config) []tile {
	if p.Best == nil {
		return nil
	}
	unit, name := p.Unit+"/s", "Sustained"
	if p.open() {
		name = "Sustained at least"
	}
	limited := p.Limit.Resource
	if limited == "none" {
		limited = "not found yet"
	}
	list := []tile{
		{name, report.Number(p.Knee), unit},
		{"Recommended", report.Number(p.Operating()), unit},
		{"Limited by", limited, ""},
	}
	if c.Expect > 0 {
		list = append(list, tile{"Head-room at " + report.Number(c.Expect) + " " + unit, fmt.Sprintf("%.1f", p.Headroom(c)), "x"})
	}
	if p.Cost.Provisioned >= 0 {
		list = append(list, tile{"Per million " + p.Unit, price(p.Cost.Provisioned), "machine"})
	} else if p.Cost.CoreHours >= 0 {
		list = append(list, tile{"Per million " + p.Unit, report.Number(p.Cost.CoreHours), "core hours"})
	}
	return list
}

// warnings are the problems of the result that the plan stands on.
func (p *Part) warnings() []string {
	if p.Best == nil {
		return nil
	}
	var list []string
	for _, text := range compare.Problems(p.Best) {
		list = append(list, p.Target+": "+text)
	}
	return list
}

// draw shows the results, the fit through them, and how it goes on.
func (s *Scaling) draw(unit string) template.HTML {
	const samples = 60
	curve := func(from, to float64) []chart.Point {
		var points []chart.Point
		for i := range samples + 1 {
			n := from + (to-from)*float64(i)/samples
			points = append(points, chart.Point{X: n, Y: s.Fit.At(n)})
		}
		return points
	}
	measured := chart.Line{Name: "measured", Color: 0, Marks: true}
	for _, p := range s.Points {
		measured.Points = append(measured.Points, chart.Point{X: p.N, Y: p.X})
	}
	c := chart.Lines{
		Label: strings.Join([]string{unit, "per second over", s.By}, " "),
		X:     chart.Axis{Title: s.By, Format: count}, Y: chart.Axis{Format: report.Number},
		Lines: []chart.Line{
			{Name: "fit", Color: 0, Points: curve(s.Points[0].N, s.Fit.MaxN)},
			{Name: "estimate", Color: 0, Dashed: true, Points: curve(s.Fit.MaxN, trustedFactor*s.Fit.MaxN)},
			measured,
		},
	}
	return c.SVG()
}
