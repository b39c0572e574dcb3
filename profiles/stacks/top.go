package stacks

import (
	"cmp"
	"slices"
)

// Entry is what one function costs.
type Entry struct {
	Function string
	// Flat is what was counted in it, Cum in it and all that it calls. A recursive
	// function counts once in a stack.
	Flat, Cum int64
}

// Top lists functions by Flat, the most expensive first.
func Top(ss []Stack, n int) []Entry { return top(ss, n, func(e Entry) int64 { return e.Flat }) }

// TopCum lists functions by Cum.
func TopCum(ss []Stack, n int) []Entry { return top(ss, n, func(e Entry) int64 { return e.Cum }) }

func top(ss []Stack, n int, by func(Entry) int64) []Entry {
	all := map[string]*Entry{}
	entry := func(name string) *Entry {
		if all[name] == nil {
			all[name] = &Entry{Function: name}
		}
		return all[name]
	}
	for _, s := range ss {
		seen := make(map[string]bool, len(s.Frames))
		for _, f := range s.Frames {
			if !seen[f.Function] {
				seen[f.Function] = true
				entry(f.Function).Cum += s.Value
			}
		}
		if len(s.Frames) > 0 {
			entry(s.Leaf().Function).Flat += s.Value
		}
	}
	out := make([]Entry, 0, len(all))
	for _, e := range all {
		if by(*e) != 0 {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.Function, b.Function))
	})
	return out[:min(n, len(out))]
}

// Callers replaces runtime and standard library functions at the end of each
// stack by the function of a package with a dot or one of ours that called them:
// "who allocates" instead of "mallocgc".
func Callers(ss []Stack) []Stack {
	out := make([]Stack, len(ss))
	for i, s := range ss {
		n := len(s.Frames)
		for n > 1 && standard(s.Frames[n-1].Function) {
			n--
		}
		if n == 1 && standard(s.Frames[0].Function) {
			n = len(s.Frames) // nobody else is in it
		}
		out[i] = Stack{Frames: s.Frames[:n], Value: s.Value}
	}
	return out
}
