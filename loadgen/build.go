package loadgen

import (
	"fmt"
	"os"

	"ingot/loadgen/app"
	"ingot/loadgen/pacing"
	"ingot/loadgen/sender"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the files of a mix and a replay.
const maxFile = 256 << 20

// load is what a plan's workload comes to.
type load struct {
	parts    []*part
	recorded *recording // of a replay, else nil
}

func buildLoad(p Plan) (load, error) {
	if p.AppURL != "" {
		return load{parts: []*part{externalPart(p)}}, nil
	}
	w, err := findWorkload(p.Workload)
	if err != nil {
		return load{}, err
	}
	switch w.Name {
	case mixName:
		parts, err := readMix(p.File)
		return load{parts: parts}, err
	case replayName:
		l, err := readRecording(p, w)
		if err != nil {
			return l, err
		}
		return l, l.parts[0].checkFlow()
	}
	pt := newPart(w, p.Shape, w.Name)
	if len(pt.functions) == 1 {
		pt.functions[0].Alone = true
	}
	return load{parts: []*part{pt}}, pt.checkFlow()
}

// externalPart is for a real app: its events have a given name, and what becomes
// of them cannot be seen.
func externalPart(p Plan) *part {
	w := Workload{Name: "app", noRuns: true, Shape: Shape{Size: defaultSize}}
	pt := &part{Workload: w, shape: p.Shape.or(w.Shape), weight: 1}
	pt.templates = []*template{newTemplate(pt, p.Event, pt.shape.Size)}
	return pt
}

// mixEntry is one element of a mix's file.
type mixEntry struct {
	Workload string  `yaml:"workload"`
	Weight   float64 `yaml:"weight"`
	Shape    `yaml:",inline"`
}

// maxMix bounds the workloads of a mix.
const maxMix = 100

func readMix(file string) ([]*part, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("mix: %w", err)
	}
	var entries []mixEntry
	if err := yaml.Unmarshal(b, &entries); err != nil {
		return nil, fmt.Errorf("mix: file %s: %w", file, err)
	}
	if len(entries) == 0 || len(entries) > maxMix {
		return nil, fmt.Errorf("mix: file %s has %d workloads, it must have from 1 to %d", file, len(entries), maxMix)
	}
	var parts []*part
	for i, e := range entries {
		p, err := e.part(i)
		if err != nil {
			return nil, fmt.Errorf("mix: file %s: element %d: %w", file, i+1, err)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (e mixEntry) part(i int) (*part, error) {
	w, err := findWorkload(e.Workload)
	if err != nil {
		return nil, err
	}
	if w.Name == mixName || w.Name == replayName {
		return nil, fmt.Errorf("workload %s cannot be part of a mix", w.Name)
	}
	if err := e.validate(); err != nil {
		return nil, err
	}
	if e.Weight < 0 || e.Weight > 1e6 {
		return nil, fmt.Errorf("weight is %g, it must be from 0 to 1,000,000", e.Weight)
	}
	p := newPart(w, e.Shape, fmt.Sprintf("mix%d-%s", i, w.Name))
	p.weight = pick(e.Weight, 1)
	return p, p.checkFlow()
}

func readFile(file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("no file given (file)")
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("file %s has %d bytes, the limit is %d", file, info.Size(), maxFile)
	}
	return os.ReadFile(file)
}

// functions of all parts, for the app.
func (l load) functions() (fns []app.Function) {
	for _, p := range l.parts {
		fns = append(fns, p.functions...)
	}
	return fns
}

// branches is what the ledger has to keep per run.
func (l load) branches() (n int) {
	for _, p := range l.parts {
		n = max(n, p.Workload.branches(p.shape))
	}
	return n
}

// runs reports whether anything runs, or there are only events.
func (l load) runs() bool { return len(l.functions()) > 0 }

// schedule is when requests are due in the window; nil in a closed loop.
func (l load) schedule(p Plan) (sender.Schedule, float64, error) {
	if p.closed() {
		if l.recorded != nil && l.recorded.timed {
			return l.recorded.schedule(), l.recorded.rate(), nil
		}
		return nil, 0, nil
	}
	s, err := pacing.Parse(pick(p.Pacing, "constant"), p.Rate/float64(p.Batch), p.Duration, p.Seed)
	if err != nil {
		return nil, 0, err
	}
	return s, s.MeanRate() * float64(p.Batch), nil
}

// closed reports whether the plan asks for no rate.
func (p Plan) closed() bool { return p.Rate == 0 && p.Pacing == "" }
