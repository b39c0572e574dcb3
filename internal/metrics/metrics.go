// Package metrics writes the answer of /metrics: Prometheus' text format, from sources
// that are asked at each scrape. It has the sources for the Go runtime, and counts what
// the history of runs tells.
//
// What does not live here: the figures of other parts of the server, which register a
// [Source] each, and the HTTP route (package api). Nothing here is on the way of an
// event: figures are read where they are kept anyway.
package metrics

import (
	"math"
	"strconv"
	"strings"
	"sync"
)

// Source writes families to a page.
type Source func(*Page)

// Registry is the list of sources. Its zero value is empty and ready.
type Registry struct {
	mu      sync.Mutex
	sources []Source
}

// Register adds a source. Its families come behind those of the sources before it.
func (r *Registry) Register(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources, s)
}

// Append asks every source and appends the page. Scrapes take turns, so that many at
// once cost no more than one at a time.
func (r *Registry) Append(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Page{text: dst}
	for _, s := range r.sources {
		s(&p)
	}
	return p.text
}

// Page is an answer under construction. A family is written by one call.
type Page struct{ text []byte }

// Sample is one value of a family, with its labels as name, value, name, value.
type Sample struct {
	Labels []string
	Value  float64
}

// Gauge writes a family of one value that may rise and fall.
func (p *Page) Gauge(name, help string, value float64) {
	p.head(name, help, "gauge")
	p.sample(name, "", nil, value)
}

// Counter writes a family of one value that only rises; its name ends with _total.
func (p *Page) Counter(name, help string, value float64) {
	p.head(name, help, "counter")
	p.sample(name, "", nil, value)
}

// Gauges and Counters write families of several values, which must differ in labels.
func (p *Page) Gauges(name, help string, samples []Sample) { p.family(name, help, "gauge", samples) }

// Counters is Gauges for counters.
func (p *Page) Counters(name, help string, samples []Sample) {
	p.family(name, help, "counter", samples)
}

func (p *Page) family(name, help, kind string, samples []Sample) {
	p.head(name, help, kind)
	for _, s := range samples {
		p.sample(name, "", s.Labels, s.Value)
	}
}

// Histogram writes a family of one histogram: how many values were at most each of
// bounds, which rise, and in all, and their sum.
func (p *Page) Histogram(name, help string, bounds []float64, counts []uint64, total uint64, sum float64) {
	p.head(name, help, "histogram")
	for i, b := range bounds {
		p.sample(name, "_bucket", []string{"le", formatFloat(b)}, float64(counts[i]))
	}
	p.sample(name, "_bucket", []string{"le", "+Inf"}, float64(total))
	p.sample(name, "_sum", nil, sum)
	p.sample(name, "_count", nil, float64(total))
}

func (p *Page) head(name, help, kind string) {
	p.text = append(p.text, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

// labelValue escapes what would end the value of a label.
var labelValue = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (p *Page) sample(name, suffix string, labels []string, value float64) {
	p.text = append(p.text, name+suffix...)
	for i := 0; i+1 < len(labels); i += 2 {
		lead := ","
		if i == 0 {
			lead = "{"
		}
		p.text = append(p.text, lead+labels[i]+`="`+labelValue.Replace(labels[i+1])+`"`...)
	}
	if len(labels) > 1 {
		p.text = append(p.text, '}')
	}
	p.text = append(p.text, ' ')
	p.text = append(p.text, formatFloat(value)...)
	p.text = append(p.text, '\n')
}

// formatFloat writes whole numbers without an exponent, as the reference does.
func formatFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
