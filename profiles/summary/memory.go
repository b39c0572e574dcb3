package summary

import (
	"bytes"
	"fmt"

	"ingot/profiles/budget"
	"ingot/profiles/stacks"
)

func (s Summary) allocations(b *bytes.Buffer) {
	if len(s.AllocBytes) == 0 {
		return
	}
	w := s.WaitWindow
	allBytes, allObjects := stacks.Total(s.AllocBytes), stacks.Total(s.AllocObjects)
	fmt.Fprintf(b, "\n## Memory: %s bytes in %s objects allocated per %s\n\n", amount(w.per(allBytes)), amount(w.per(allObjects)), s.Unit)

	objects := map[string]int64{}
	for _, r := range budget.Of(s.AllocObjects).Rows {
		objects[r.Stage] = r.Total
	}
	header(b, "stage", "bytes", "share", "objects", "share")
	for _, r := range budget.Of(s.AllocBytes).Rows {
		row(b, r.Stage, amount(w.per(r.Total)), share(r.Total, allBytes), amount(w.per(objects[r.Stage])), share(objects[r.Stage], allObjects))
	}
	s.allocators(b, "bytes", s.AllocBytes, allBytes)
	s.allocators(b, "objects", s.AllocObjects, allObjects)
}

// allocators names the functions outside the standard library.
func (s Summary) allocators(b *bytes.Buffer, what string, ss []stacks.Stack, total int64) {
	fmt.Fprintf(b, "\n### Who allocates, by %s\n\n", what)
	header(b, "function", what+" per "+s.Unit, "share")
	for _, e := range stacks.Top(stacks.Callers(ss), functions) {
		row(b, code(e.Function), amount(s.WaitWindow.per(e.Flat)), share(e.Flat, total))
	}
}

func (s Summary) waits(b *bytes.Buffer) {
	s.waitTable(b, "Mutexes", "Time that goroutines waited for a mutex, by who held it.", s.Mutex)
	s.waitTable(b, "Blocking", "Time that goroutines waited for channels, locks and conditions, by who waited. Waiting for work is most of it.", s.Block)
}

func (s Summary) waitTable(b *bytes.Buffer, title, text string, ss []stacks.Stack) {
	total := stacks.Total(ss)
	if total == 0 || s.WaitWindow.Seconds == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s: %s µs per %s\n\n%s\n\n", title, micros(s.WaitWindow.per(total)), s.Unit, text)
	header(b, "function", "µs per "+s.Unit, "share", "waiting on average")
	for _, e := range stacks.Top(stacks.Callers(ss), functions) {
		row(b, code(e.Function), micros(s.WaitWindow.per(e.Flat)), share(e.Flat, total), fmt.Sprintf("%.3f", float64(e.Flat)/1e9/s.WaitWindow.Seconds))
	}
}
