package summary

import (
	"bytes"
	"strings"
	"testing"

	"ingot/profiles/stacks"
)

func stack(value int64, functions ...string) stacks.Stack {
	s := stacks.Stack{Value: value}
	for _, f := range functions {
		s.Frames = append(s.Frames, stacks.Frame{Function: f, File: "f.go"})
	}
	return s
}

func TestCostsArePerUnit(t *testing.T) {
	t.Parallel()
	s := Summary{
		Workload: "steps", Unit: "run", Facts: []Fact{{"when", "now"}}, Warnings: []string{"The load lied."},
		CPU:       []stacks.Stack{stack(3_000_000, "ingot/engine.f"), stack(1_000_000, "ingot/engine.f", "ingot/api.g|h", "syscall.Write")},
		CPUWindow: Window{Seconds: 2, Units: 100},
		AllocBytes: []stacks.Stack{stack(5_000, "ingot/engine.f", "bytes.Clone", "runtime.mallocgc"),
			stack(15_000, "ingot/engine.g")},
		AllocObjects: []stacks.Stack{stack(20, "ingot/engine.f", "bytes.Clone", "runtime.mallocgc")},
		Mutex:        []stacks.Stack{stack(1_000_000_000, "ingot/engine.f", "sync.(*Mutex).Unlock")},
		WaitWindow:   Window{Seconds: 4, Units: 10},
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"# Profile of the workload steps\n",
		"- when: now\n",
		"> **Careful**: The load lied.",
		"## CPU: 40.00 µs per run",
		"0.0 s of CPU time were sampled in 2.0 s, in which 100 runs were done.",
		"| stage | µs | share | code | kernel | memory | copying | waking |\n|---|---:|---:|",
		"| requests: API | 10.00 | 25.0 % | – | 10.00 | – | – | – |",
		"| engine: partitions | 30.00 | 75.0 % | 30.00 | – | – | – | – |",
		"| **all** | 40.00 | 100.0 % | 30.00 | 10.00 | – | – | – |",
		"| `ingot/engine.f` | 30.00 | 75.0 % | 40.00 | 100.0 % |",
		"`ingot/api.g\\|h`",
		"## Memory: 2000 bytes in 2.00 objects allocated per run",
		"| `ingot/engine.f` | 500 | 25.0 % |",
		"## Mutexes: 100000 µs per run",
		"| `ingot/engine.f` | 100000 | 100.0 % | 0.250 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "## Blocking") {
		t.Error("a table of nothing")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestUnknownUnitsAreDashes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := Summary{Workload: "w", Unit: "run", CPU: []stacks.Stack{stack(5, "main.f")}, CPUWindow: Window{Seconds: 1}}
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "| other | – | 100.0 % |") || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("got %s", &b)
	}
}
