// Package stacks reads profiles as weighted call stacks of functions, which is
// what tables and flame graphs are made from.
//
// What does not live here: what a function belongs to (package budget).
package stacks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Frame is one function of a stack.
type Frame struct {
	// Function is the full name, "ingot/engine.(*worker).round"; the long names of
	// type arguments are left out.
	Function string
	// File is the source file's base name.
	File string
}

// Stack is a call stack and what was counted in its last function.
type Stack struct {
	// Frames begin at the root. Inlined calls are frames too.
	Frames []Frame
	Value  int64
}

// Leaf is the function that was running; the zero Frame of an empty stack.
func (s Stack) Leaf() Frame {
	if len(s.Frames) == 0 {
		return Frame{}
	}
	return s.Frames[len(s.Frames)-1]
}

// Of returns the stacks of p with the values of one type ("cpu", "alloc_space",
// "delay", …), merged where only lines differ, in the order in which they first
// come. Values are in the profile's unit: nanoseconds, bytes, counts.
func Of(p *profile.Profile, valueType string) ([]Stack, error) {
	index := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == valueType })
	if index < 0 {
		return nil, fmt.Errorf("the profile has no values of type %q", valueType)
	}
	var out []Stack
	known := map[string]int{}
	var key strings.Builder
	for _, sample := range p.Sample {
		v := sample.Value[index]
		if v == 0 {
			continue
		}
		frames := framesOf(sample)
		key.Reset()
		for _, f := range frames {
			key.WriteString(f.Function)
			key.WriteByte('\n')
			key.WriteString(f.File)
			key.WriteByte('\n')
		}
		i, ok := known[key.String()]
		if !ok {
			i = len(out)
			known[key.String()] = i
			out = append(out, Stack{Frames: frames})
		}
		out[i].Value += v
	}
	return out, nil
}

// framesOf turns a sample round: profiles begin at the leaf, also within the
// inlined calls of one location.
func framesOf(s *profile.Sample) []Frame {
	var frames []Frame
	for _, loc := range slices.Backward(s.Location) {
		for _, line := range slices.Backward(loc.Line) {
			if line.Function == nil {
				continue
			}
			frames = append(frames, Frame{Function: Name(line.Function.Name), File: base(line.Function.Filename)})
		}
	}
	return frames
}

// typeArguments are those of generic functions, which nobody wants to read.
var typeArguments = regexp.MustCompile(`\[go\.shape\..*\]`)

// Name shortens a function's name.
func Name(function string) string { return typeArguments.ReplaceAllString(function, "[…]") }

// base works for both kinds of path, since profiles come from any system.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// Total is the sum of all values.
func Total(ss []Stack) int64 {
	var n int64
	for _, s := range ss {
		n += s.Value
	}
	return n
}
