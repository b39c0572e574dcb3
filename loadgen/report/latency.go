package report

import (
	"fmt"
	"slices"
)

// latencyRows has the quantiles of each latency in milliseconds.
func latencyRows(gs []*group, head func(string), line func(string, func(*group) cell)) {
	for _, l := range latencies {
		if !slices.ContainsFunc(gs, func(g *group) bool { return recorded(g.latency[l.name]) }) {
			continue
		}
		head(l.title + ", ms")
		for _, q := range []float64{50, 90, 99, 99.9, 100} {
			name := fmt.Sprintf("p%g", q)
			if q == 100 {
				name = "highest"
			}
			line(name, func(g *group) cell {
				h := g.latency[l.name]
				if !recorded(h) {
					return cell{Text: "–"}
				}
				if q == 100 {
					return cell{Text: milliseconds(h.Max())}
				}
				return cell{Text: milliseconds(h.Quantile(q))}
			})
		}
	}
}

// latencyTable has one line per latency of a single series.
func latencyTable(g *group) *table {
	t := &table{Head: []string{"Latency, ms", "p50", "p90", "p99", "p99.9", "p99.99", "highest", "count"}}
	for _, l := range latencies {
		h := g.latency[l.name]
		if !recorded(h) {
			continue
		}
		r := row{Name: l.title}
		for _, q := range []float64{50, 90, 99, 99.9, 99.99} {
			r.Cells = append(r.Cells, cell{Text: milliseconds(h.Quantile(q))})
		}
		r.Cells = append(r.Cells, cell{Text: milliseconds(h.Max())}, cell{Text: thousands(h.TotalCount())})
		t.Rows = append(t.Rows, r)
	}
	return t
}
