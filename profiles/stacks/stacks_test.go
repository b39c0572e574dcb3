package stacks

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// build makes a profile from stacks written from the root: "main a b". A name
// with "+" was inlined into the one before it.
func build(values map[string]int64, order ...string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	functions := map[string]*profile.Function{}
	for n, text := range order {
		var locs []*profile.Location
		for _, name := range strings.Fields(text) {
			inlined := strings.HasPrefix(name, "+")
			name = strings.TrimPrefix(name, "+")
			f := functions[name]
			if f == nil {
				f = &profile.Function{ID: uint64(len(functions) + 1), Name: name, Filename: `C:\src/` + name + ".go"}
				functions[name] = f
				p.Function = append(p.Function, f)
			}
			line := profile.Line{Function: f, Line: int64(n)}
			if inlined {
				last := locs[0]
				last.Line = append([]profile.Line{line}, last.Line...)
				continue
			}
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{line}}
			p.Location = append(p.Location, l)
			locs = append([]*profile.Location{l}, locs...) // a sample begins at its leaf
		}
		p.Sample = append(p.Sample, &profile.Sample{Location: locs, Value: []int64{1, values[text]}})
	}
	return p
}

func names(s Stack) string {
	var out []string
	for _, f := range s.Frames {
		out = append(out, f.Function)
	}
	return strings.Join(out, " ")
}

func TestOf(t *testing.T) {
	t.Parallel()
	p := build(map[string]int64{"main a +b": 30, "main a b": 5, "main": 7, "main c": 0}, "main a +b", "main", "main a b", "main c")
	ss, err := Of(p, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	if len(ss) != 2 || names(ss[0]) != "main a b" || ss[0].Value != 35 || names(ss[1]) != "main" || ss[1].Value != 7 {
		t.Errorf("got %+v; inlined calls are frames, equal stacks are one, zeros none", ss)
	}
	if f := ss[0].Leaf(); f.File != "b.go" {
		t.Errorf("file %q", f.File)
	}
	if Total(ss) != 42 {
		t.Errorf("total %d", Total(ss))
	}
	if _, err := Of(p, "alloc_space"); err == nil || !strings.Contains(err.Error(), "alloc_space") {
		t.Errorf("a type that is not there: %v", err)
	}
}

func stack(value int64, functions ...string) Stack {
	s := Stack{Value: value}
	for _, f := range functions {
		s.Frames = append(s.Frames, Frame{Function: f})
	}
	return s
}

func TestTop(t *testing.T) {
	t.Parallel()
	ss := []Stack{stack(10, "main", "f", "f", "g"), stack(5, "main", "f"), stack(1, "main"), stack(3)}
	if got, want := Top(ss, 2), []Entry{{"g", 10, 10}, {"f", 5, 15}}; !reflect.DeepEqual(got, want) {
		t.Errorf("top by itself: %v, want %v", got, want)
	}
	if got, want := TopCum(ss, 9), []Entry{{"main", 1, 16}, {"f", 5, 15}, {"g", 10, 10}}; !reflect.DeepEqual(got, want) {
		t.Errorf("top with callees: %v, want %v", got, want)
	}
}

func TestCallers(t *testing.T) {
	t.Parallel()
	ss := []Stack{
		stack(1, "ingot/engine.f", "bytes.Clone", "runtime.mallocgc"),
		stack(2, "github.com/x/y.f", "internal/poll.(*FD).Read"),
		stack(3, "runtime.mcall", "runtime.park_m"),
		stack(4, "main.main"),
		stack(5),
	}
	want := []string{"ingot/engine.f", "github.com/x/y.f", "runtime.park_m", "main.main", ""}
	for i, s := range Callers(ss) {
		if s.Leaf().Function != want[i] || s.Value != ss[i].Value {
			t.Errorf("%s: %q of %d, want %q", names(ss[i]), s.Leaf().Function, s.Value, want[i])
		}
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	for function, want := range map[string]string{
		"ingot/engine.(*worker).round":                         "ingot/engine",
		"github.com/cockroachdb/pebble/v2.(*DB).Apply":         "github.com/cockroachdb/pebble/v2",
		"runtime.mallocgc":                                     "runtime",
		"cmpbody":                                              "cmpbody",
		"github.com/panjf2000/ants/v2.(*Pool[…]).run.func1":    "github.com/panjf2000/ants/v2",
		"slices.SortFunc[github.com/x/y.T,go.shape.int].func1": "slices",
	} {
		if got := Package(function); got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
	if got := Name("a/b.(*T[go.shape.*uint8]).run[go.shape.struct { x/y.Z }]"); got != "a/b.(*T[…]" && got != "a/b.(*T[…]).run[…]" {
		t.Errorf("shortened to %q", got)
	}
}
