package report

import (
	"slices"

	"ingot/loadgen/result"
)

// flowRows adds what the flow control came to, if some result has one.
func flowRows(gs []*group, head func(string), line func(string, func(*group) cell)) {
	if !slices.ContainsFunc(gs, func(g *group) bool { return g.Results[0].Flow != nil }) {
		return
	}
	count := func(name string, bad bool, of func(*result.Flow) int64) {
		line(name, func(g *group) cell {
			n := g.sum(func(r *result.Result) int64 {
				if r.Flow == nil {
					return 0
				}
				return of(r.Flow)
			})
			return cell{Text: thousands(n), Bad: bad && n > 0}
		})
	}
	head("Flow control")
	count("Runs started", false, func(f *result.Flow) int64 { return f.Runs })
	count("Events that started no run", false, func(f *result.Flow) int64 { return f.Skipped })
	count("Runs cancelled by a later one", false, func(f *result.Flow) int64 { return f.Cancelled })
	count("Broken", true, func(f *result.Flow) int64 { return f.Broken })
}
