// Package summary writes what a profiling session found as tables in Markdown:
// the budget of a run by stages, the functions that cost most, who allocates and
// who waits.
//
// What does not live here: taking profiles, and the division into stages
// (package budget).
package summary

import (
	"bytes"
	"fmt"
	"io"

	"ingot/profiles/budget"
	"ingot/profiles/stacks"
)

// functions is how many a table lists.
const functions = 25

// Window is a time in which something was counted.
type Window struct {
	Seconds float64
	// Units is how many runs (or events) were done in it; 0 if unknown.
	Units float64
}

// per divides by the window's units; 0 if they are unknown.
func (w Window) per(v int64) float64 {
	if w.Units == 0 {
		return 0
	}
	return float64(v) / w.Units
}

// Fact is a line of the head.
type Fact struct{ Name, Value string }

// Summary is a session.
type Summary struct {
	Workload string
	// Unit is what costs are divided by: "run" or "event".
	Unit     string
	Facts    []Fact
	Warnings []string

	CPU       []stacks.Stack // nanoseconds
	CPUWindow Window

	AllocBytes, AllocObjects []stacks.Stack
	// Mutex and Block are nanoseconds that goroutines waited.
	Mutex, Block []stacks.Stack
	// WaitWindow is that of allocations and waits.
	WaitWindow Window
}

// Write writes the tables.
func (s Summary) Write(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Profile of the workload %s\n\n", s.Workload)
	for _, f := range s.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, f.Value)
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(&b, "\n> **Careful**: %s\n", text)
	}
	s.cpu(&b)
	s.allocations(&b)
	s.waits(&b)
	_, err := w.Write(b.Bytes())
	if err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

func (s Summary) cpu(b *bytes.Buffer) {
	t := budget.Of(s.CPU)
	fmt.Fprintf(b, "\n## CPU: %s µs per %s\n\n", micros(s.CPUWindow.per(t.Total)), s.Unit)
	fmt.Fprintf(b, "%.1f s of CPU time were sampled in %.1f s, in which %.0f %ss were done. ", float64(t.Total)/1e9, s.CPUWindow.Seconds, s.CPUWindow.Units, s.Unit)
	fmt.Fprintf(b, "All columns but the share are µs per %s.\n\n", s.Unit)
	head := []string{"stage", "µs", "share"}
	for k := range budget.Kinds {
		head = append(head, k.String())
	}
	header(b, head...)
	sum := budget.Row{Stage: "**all**", Total: t.Total}
	for _, r := range t.Rows {
		s.budgetRow(b, r, t.Total)
		for k, v := range r.ByKind {
			sum.ByKind[k] += v
		}
	}
	s.budgetRow(b, sum, t.Total)

	s.costs(b, "itself", stacks.Top(s.CPU, functions), t.Total)
	s.costs(b, "with all it calls", stacks.TopCum(s.CPU, functions), t.Total)
}

func (s Summary) budgetRow(b *bytes.Buffer, r budget.Row, total int64) {
	cells := []string{r.Stage, micros(s.CPUWindow.per(r.Total)), share(r.Total, total)}
	for _, v := range r.ByKind {
		cells = append(cells, micros(s.CPUWindow.per(v)))
	}
	row(b, cells...)
}

func (s Summary) costs(b *bytes.Buffer, by string, top []stacks.Entry, total int64) {
	fmt.Fprintf(b, "\n### Functions by what each costs %s\n\n", by)
	header(b, "function", "µs itself", "share", "µs with callees", "share")
	for _, e := range top {
		row(b, code(e.Function), micros(s.CPUWindow.per(e.Flat)), share(e.Flat, total), micros(s.CPUWindow.per(e.Cum)), share(e.Cum, total))
	}
}
