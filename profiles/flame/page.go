package flame

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"ingot/profiles/budget"
	"ingot/profiles/stacks"
)

// View is one graph of a page.
type View struct {
	// Name is that of its tab: "CPU".
	Name string
	// Unit is that of the values: "ns", "bytes" or "objects".
	Unit   string
	Stacks []stacks.Stack
	// Per is how many runs (or events) the values were spent on; 0 if unknown.
	Per float64
}

// Page is a page of graphs.
type Page struct {
	Title string
	// Subtitle says what was measured and when.
	Subtitle string
	// PerName is what View.Per counts: "run".
	PerName string
	Views   []View
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS template.CSS
	//go:embed page.js
	pageJS template.JS

	pageTemplate = template.Must(template.New("flame").Parse(pageHTML))
)

// data is what the script reads.
type data struct {
	Per    string   `json:"per"`
	Names  []string `json:"names"`
	Stages []string `json:"stages"`
	Views  []view   `json:"views"`
}

type view struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	Per  float64 `json:"per"`
	// Sums are what each stage costs.
	Sums  []int64 `json:"sums"`
	Nodes []int64 `json:"nodes"`
}

// Write writes the page. Views without a value are left out.
func (p Page) Write(w io.Writer) error {
	d := data{Per: p.PerName, Views: []view{}}
	for s := range budget.Other + 1 {
		d.Stages = append(d.Stages, s.String())
	}
	var names index
	for _, v := range p.Views {
		if tree := build(v.Stacks); tree.value > 0 {
			sums := make([]int64, len(d.Stages))
			for stage, n := range tree.byStage {
				sums[stage] = n
			}
			d.Views = append(d.Views, view{Name: v.Name, Unit: v.Unit, Per: v.Per, Sums: sums, Nodes: tree.flat(&names)})
		}
	}
	d.Names = names.names
	text, err := json.Marshal(d) // escapes <, > and &
	if err != nil {
		return fmt.Errorf("encoding the flame graph: %w", err)
	}
	err = pageTemplate.Execute(w, map[string]any{
		"Title": p.Title, "Subtitle": p.Subtitle, "CSS": pageCSS, "JS": pageJS, "Data": template.JS(text),
	})
	if err != nil {
		return fmt.Errorf("writing the flame graph: %w", err)
	}
	return nil
}
