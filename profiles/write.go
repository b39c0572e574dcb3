package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"ingot/loadgen/report"
	"ingot/profiles/budget"
	"ingot/profiles/flame"
	"ingot/profiles/stacks"
	"ingot/profiles/summary"

	"github.com/google/pprof/profile"
)

// fileNames are those of the raw profiles; `go tool pprof` and `go tool trace`
// read them.
var fileNames = map[string]string{
	"profile": "cpu.pb.gz", "allocs": "allocs.pb.gz", "heap": "heap.pb.gz", "mutex": "mutex.pb.gz",
	"block": "block.pb.gz", "goroutine": "goroutine.pb.gz", "trace": "trace.out",
}

// write writes the raw files, the summary and the flame graph.
func write(dir string, r *recording) error {
	for name, body := range r.profiles {
		if err := report.WriteFile(filepath.Join(dir, fileNames[name]), body); err != nil {
			return err
		}
	}
	s, err := summarise(r)
	if err != nil {
		return err
	}
	return errors.Join(
		render(filepath.Join(dir, "summary.md"), s.Write),
		render(filepath.Join(dir, "flame.html"), flamePage(r, s).Write))
}

func render(path string, to func(io.Writer) error) error {
	var b bytes.Buffer
	if err := to(&b); err != nil {
		return err
	}
	return report.WriteFile(path, b.Bytes())
}

// summarise reads the profiles.
func summarise(r *recording) (summary.Summary, error) {
	unit, events := unitOf(r.load)
	s := summary.Summary{
		Workload: r.workload, Unit: unit, Facts: facts(r, unit), Warnings: warnings(r),
		CPUWindow: r.cpu.window(events), WaitWindow: r.waits.window(events),
	}
	var errs []error
	for _, from := range []struct {
		to        *[]stacks.Stack
		name, typ string
	}{
		{&s.CPU, "profile", "cpu"}, {&s.AllocBytes, "allocs", "alloc_space"}, {&s.AllocObjects, "allocs", "alloc_objects"},
		{&s.Mutex, "mutex", "delay"}, {&s.Block, "block", "delay"},
	} {
		p, err := profile.ParseData(r.profiles[from.name])
		if err == nil {
			*from.to, err = stacks.Of(p, from.typ)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the %s profile: %w", from.name, err))
		}
	}
	for _, ss := range []*[]stacks.Stack{&s.AllocBytes, &s.AllocObjects, &s.Mutex, &s.Block} {
		*ss = budget.WithoutMeasuring(*ss)
	}
	return s, errors.Join(errs...)
}

func flamePage(r *recording, s summary.Summary) flame.Page {
	return flame.Page{
		Title: "Ingot under the workload " + r.workload,
		Subtitle: fmt.Sprintf("%s, %s, %.0f %ss/s, loadgen %s", r.load.Started.Format(time.DateTime), r.load.Machine.CPU,
			s.CPUWindow.Units/s.CPUWindow.Seconds, s.Unit, strings.Join(r.flags, " ")),
		PerName: s.Unit,
		Views: []flame.View{
			{Name: "CPU", Unit: "ns", Stacks: s.CPU, Per: s.CPUWindow.Units},
			{Name: "Allocated bytes", Unit: "bytes", Stacks: s.AllocBytes, Per: s.WaitWindow.Units},
			{Name: "Allocated objects", Unit: "objects", Stacks: s.AllocObjects, Per: s.WaitWindow.Units},
			{Name: "Mutexes", Unit: "ns", Stacks: s.Mutex, Per: s.WaitWindow.Units},
			{Name: "Blocking", Unit: "ns", Stacks: s.Block, Per: s.WaitWindow.Units},
		},
	}
}
