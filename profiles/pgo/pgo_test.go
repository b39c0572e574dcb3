package pgo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// cpu is a profile of main.main calling main.hot, deeply.
func cpu(value int64, frames int) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Period:     10_000_000, PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Mapping:  []*profile.Mapping{{ID: 1, File: "/secret/place/ingot", BuildID: "b"}},
		Comments: []string{"c"},
		Function: []*profile.Function{
			{ID: 1, Name: "main.hot", SystemName: "main.hot", Filename: "/secret/place/main.go", StartLine: 3},
			{ID: 2, Name: "main.main", SystemName: "main.main", Filename: "/secret/place/main.go", StartLine: 7},
		},
	}
	s := &profile.Sample{Value: []int64{value, value * 10}, Label: map[string][]string{"k": {"v"}}, NumLabel: map[string][]int64{"n": {1}}}
	for i := range frames {
		f := p.Function[min(i, 1)]
		l := &profile.Location{ID: uint64(i + 1), Mapping: p.Mapping[0], Address: uint64(100 + i), Line: []profile.Line{{Function: f, Line: f.StartLine + 1}}}
		p.Location = append(p.Location, l)
		s.Location = append(s.Location, l)
	}
	p.Sample = []*profile.Sample{s}
	return p
}

func TestMergeKeepsWhatTheCompilerReads(t *testing.T) {
	t.Parallel()
	out, err := Merge(cpu(3, 2), cpu(4, 2), cpu(5, depth+10))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != 2 || p.Sample[0].Value[0] != 7 || len(p.Sample[1].Location) != depth {
		t.Fatalf("got %s", p)
	}
	for _, s := range p.Sample {
		if len(s.Label)+len(s.NumLabel) > 0 {
			t.Errorf("labels: %v %v", s.Label, s.NumLabel)
		}
	}
	leaf := p.Sample[0].Location[0].Line[0]
	if leaf.Function.Name != "main.hot" || leaf.Line != 4 || leaf.Function.StartLine != 3 {
		t.Errorf("leaf %+v of %+v", leaf, leaf.Function)
	}
	if strings.Contains(p.String(), "secret") || len(p.Comments) > 0 {
		t.Errorf("what the compiler does not read: %s", p)
	}
}

func TestMergeErrors(t *testing.T) {
	t.Parallel()
	if _, err := Merge(cpu(1, 1), &profile.Profile{}); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("an empty profile: %v", err)
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing was merged")
	}
}

// The compiler itself says whether it can use the result.
func TestTheCompilerUsesIt(t *testing.T) {
	t.Parallel()
	out, err := Merge(cpu(1000, 2))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n", "default.pgo": string(out),
		// The call is on the line after "func main", as in the profile.
		"main.go": "package main\n\nfunc hot(n int) int {\n" + strings.Repeat("\tn = n*n + n/3 - n%7\n", 20) + "\treturn n\n}\n\nfunc main() {\n\tprintln(hot(4))\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-gcflags=-m=2", "-o", os.DevNull, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !strings.Contains(string(text), "inlining call to hot") {
		t.Errorf("the hot call is too large to be inlined without the profile, and was not with it:\n%s", text)
	}
}
