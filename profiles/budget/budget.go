// Package budget divides a profile among the stages of an event's way through
// the server, and within each among kinds of cost: own code, the kernel, memory.
//
// What does not live here: how it is shown (package summary).
package budget

import (
	"slices"

	"ingot/profiles/stacks"
)

// Kind is what a piece of cost was spent on.
type Kind int

// Kinds, in the order of a table's columns.
const (
	// Code is everything that is nothing else.
	Code Kind = iota
	// Kernel is time in system calls.
	Kernel
	// Memory is allocation, with the help that it gives to the garbage collector.
	Memory
	// Copying is moving and clearing memory.
	Copying
	// Waking is parking and waking goroutines: channels, locks, the futexes below.
	Waking
	// Kinds is their number.
	Kinds
)

// String names a column.
func (k Kind) String() string {
	return [...]string{"code", "kernel", "memory", "copying", "waking"}[k]
}

// Row is what one stage costs.
type Row struct {
	Stage  string
	Total  int64
	ByKind [Kinds]int64
}

// Table is a budget. The rows are in the order of the way of an event, without
// stages that cost nothing; they add up to Total.
type Table struct {
	Rows  []Row
	Total int64
}

// Of divides the values of stacks.
func Of(ss []stacks.Stack) Table {
	rows := make([]Row, len(stageNames))
	for i, name := range stageNames {
		rows[i].Stage = name
	}
	var t Table
	for _, s := range ss {
		r := &rows[StageOf(s)]
		r.Total += s.Value
		r.ByKind[KindOf(s)] += s.Value
		t.Total += s.Value
	}
	for _, r := range rows {
		if r.Total != 0 {
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}

// WithoutMeasuring leaves out what taking the profiles cost itself.
func WithoutMeasuring(ss []stacks.Stack) []stacks.Stack {
	return slices.DeleteFunc(slices.Clone(ss), func(s stacks.Stack) bool { return StageOf(s) == Measuring })
}
