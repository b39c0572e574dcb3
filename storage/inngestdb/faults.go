package inngestdb

import (
	"log/slog"
	"maps"
	"slices"
)

// faults counts rows that cannot be used as they are. Each kind is told of once when it
// first occurs, and with its number in the end: a huge database may have many.
type faults struct {
	log   *slog.Logger
	count map[string]int
}

func newFaults(log *slog.Logger) *faults { return &faults{log: log, count: map[string]int{}} }

// add notes one row; example says which.
func (f *faults) add(kind, example string) {
	f.count[kind]++
	if f.count[kind] == 1 {
		f.log.Warn("the import of a reference server's database passes over what it cannot read", "what", kind, "first", example)
	}
}

// report tells how many there were since the last report.
func (f *faults) report() {
	for _, kind := range slices.Sorted(maps.Keys(f.count)) {
		f.log.Warn("the import of a reference server's database passed over what it cannot read", "what", kind, "count", f.count[kind])
	}
	clear(f.count)
}
