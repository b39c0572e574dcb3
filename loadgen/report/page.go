package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"ingot/loadgen/compare"
	"ingot/loadgen/report/chart"
	"ingot/loadgen/report/page"
	"ingot/loadgen/result"
)

//go:embed body.html
var files embed.FS

var bodyTemplate = template.Must(template.ParseFS(files, "body.html"))

// body is what body.html shows.
type body struct {
	Tiles      []tile
	Comparison *versusView
	Charts     []chartView
	Note       string // on what the charts leave out
	Latency    *table // of a single series; with several the figures have it
	Table      table
	Runs       *table // every single run, if there are several
	Errors     *table
	Details    []detail
}

// Page writes the self-contained HTML page of results and, if c is not nil, of
// the comparison that they belong to.
func Page(w io.Writer, rs []*result.Result, c *compare.Comparison) error {
	all, err := groups(rs)
	if err != nil {
		return err
	}
	drawn := all[:min(len(all), chart.Series)]
	b := body{
		Charts: charts(drawn), Table: figures(all), Errors: errorTable(rs), Details: details(rs),
	}
	if len(drawn) < len(all) {
		b.Note = fmt.Sprintf("The charts show the first %d of %d series; the tables show all.", len(drawn), len(all))
	}
	if len(all) == 1 {
		b.Tiles, b.Latency = tiles(all[0]), latencyTable(all[0])
	}
	if len(rs) > 1 {
		b.Runs = runTable(rs)
	}
	p := page.Page{Title: title(all, c), Kicker: kicker(rs, c), Lede: lede(all)}
	if c != nil {
		b.Comparison = newVersusView(c)
		p.Warnings = c.Warnings
	} else {
		p.Warnings = problems(all)
	}
	var content bytes.Buffer
	if err := bodyTemplate.Execute(&content, b); err != nil {
		return fmt.Errorf("rendering a report: %w", err)
	}
	p.Body = template.HTML(content.String()) // made by a template that escapes
	return p.Render(w)
}

func title(all []*group, c *compare.Comparison) string {
	switch {
	case c != nil:
		return strings.Join(c.Targets[min(1, len(c.Targets)):], ", ") + " against " + first(c.Targets)
	case len(all) == 1:
		return all[0].Label + ", " + all[0].Results[0].Workload.Name
	}
	names := make([]string, 0, len(all))
	for _, g := range all {
		if name := g.Results[0].Target.Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("%s: %d runs", strings.Join(names, ", "), len(all))
}

func kicker(rs []*result.Result, c *compare.Comparison) string {
	kind := "Load test"
	if c != nil {
		kind = fmt.Sprintf("Comparison, %d interleaved rounds", c.Rounds)
	}
	if len(rs) == 0 {
		return kind
	}
	return kind + " · " + date(rs[0].Started) + " · " + machine(rs[0].Machine)
}

func machine(m result.Machine) string {
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", m.CPU, m.Cores, Bytes(float64(m.Memory)), m.OS, m.Go)
}

// lede says what was done, if all did the same.
func lede(all []*group) string {
	if len(all) == 0 {
		return ""
	}
	r := all[0].Results[0]
	work := func(r *result.Result) string { return r.Workload.Name + parameters(r) }
	pace := func(r *result.Result) string { return pacing(r.Pacing) }
	var parts []string
	if !differs(all, work) {
		parts = append(parts, "Workload "+work(r))
	}
	if !differs(all, pace) {
		parts = append(parts, pace(r))
	}
	return strings.Join(append(parts, fmt.Sprintf("measured for %s after %s of warm-up", seconds(r.Window), seconds(r.WarmUp))), " · ") + "."
}

// problems lists the warnings of all results, with the series that has them.
func problems(all []*group) []string {
	var list []string
	for _, g := range all {
		for _, r := range g.Results {
			for _, text := range compare.Problems(r) {
				if len(all) > 1 {
					text = g.Label + ": " + text
				}
				if !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
		}
	}
	return list
}
