package report

import (
	"fmt"
	"slices"
	"strings"

	"ingot/loadgen/report/chart"
	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// group is what a page shows as one series: a single result, or the rounds of
// one target in a comparison.
type group struct {
	Label   string
	Color   int
	Results []*result.Result
	// latency holds the histograms of all rounds together.
	latency map[string]*result.Histogram
}

// groups sorts results into series, in the order in which they first come.
func groups(rs []*result.Result) ([]*group, error) {
	var list []*group
	index := map[string]*group{}
	for i, r := range rs {
		key := strings.Join([]string{r.Target.Name, r.Workload.Name, parameters(r), pacing(r.Pacing)}, "\x00")
		if r.Round == 0 {
			key += fmt.Sprint("\x00", i) // a run of its own, not one of several rounds
		}
		g := index[key]
		if g == nil {
			g = &group{Color: len(list) % chart.Series, latency: map[string]*result.Histogram{}}
			index[key], list = g, append(list, g)
		}
		if err := g.add(r); err != nil {
			return nil, err
		}
	}
	label(list)
	return list, nil
}

func (g *group) add(r *result.Result) error {
	g.Results = append(g.Results, r)
	for name, h := range r.Latency {
		if !recorded(h) {
			continue
		}
		if g.latency[name] == nil {
			g.latency[name] = result.NewHistogram()
		}
		if dropped := g.latency[name].Merge(h.Histogram); dropped > 0 {
			return fmt.Errorf("result of %s: %d values of %s lie beyond the range of histograms", r.Target.Name, dropped, name)
		}
	}
	return nil
}

// label names each group by what it does not share with all others.
func label(list []*group) {
	parts := []func(*result.Result) string{
		func(r *result.Result) string { return r.Target.Name },
		func(r *result.Result) string { return r.Workload.Name },
		func(r *result.Result) string { return strings.Trim(parameters(r), " ()") },
		func(r *result.Result) string { return pacing(r.Pacing) },
	}
	for _, part := range parts {
		if !differs(list, part) {
			continue
		}
		for _, g := range list {
			if text := part(g.Results[0]); text != "" {
				g.Label = strings.TrimPrefix(g.Label+" · "+text, " · ")
			}
		}
	}
	seen := map[string]int{}
	for _, g := range list {
		if g.Label == "" {
			g.Label = g.Results[0].Target.Name
		}
		if seen[g.Label]++; seen[g.Label] > 1 {
			g.Label += fmt.Sprintf(" (%d)", seen[g.Label])
		}
	}
}

func differs(list []*group, part func(*result.Result) string) bool {
	return slices.ContainsFunc(list, func(g *group) bool { return part(g.Results[0]) != part(list[0].Results[0]) })
}

// median is the middle of one figure over the rounds, -1 if none has it.
func (g *group) median(of func(*result.Result) float64) float64 {
	var values []float64
	for _, r := range g.Results {
		if v := of(r); v >= 0 {
			values = append(values, v)
		}
	}
	if values == nil {
		return -1
	}
	return stats.Median(values)
}

// sum adds one count over the rounds.
func (g *group) sum(of func(*result.Result) int64) int64 {
	var n int64
	for _, r := range g.Results {
		n += of(r)
	}
	return n
}
