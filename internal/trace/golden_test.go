package trace

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var write = flag.Bool("write", false, "write the expected trees anew")

// TestTree compares the tree, the legacy tree, the steps and the outstanding jobs of each
// scenario with testdata. Times are ms since the run was queued, spans are numbered.
func TestTree(t *testing.T) {
	t.Parallel()
	for i := range scenarios {
		expect(t, scenarios[i].name(), scenarios[i].tape)
	}
	for name, tape := range shapes {
		expect(t, name, tape)
	}
}

func expect(t *testing.T, name string, tape func() *tape) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		got := describe(t, tape())
		file := filepath.Join("testdata", name+".txt")
		if *write {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func describe(t *testing.T, p *tape) string {
	tr := p.trace()
	d := &printer{t: t, p: p, spans: labels{}}
	d.line("# tree")
	d.tree(Tree(tr, p.env), 0)
	d.line("\n# legacy")
	if root := Legacy(tr, p.env); root != nil {
		d.tree(root, 0)
	} else {
		d.line("none")
	}
	d.line("\n# steps")
	for _, s := range Steps(tr) {
		memos, planned, _ := MemosBefore(tr, s.ID)
		d.line(fmt.Sprintf("%s %s %s attempt %d memo %s planned=%v after %d memos", s.Name, s.Op, s.Status, s.Attempt, s.Memo, planned, len(memos)))
	}
	d.line("\n# jobs")
	for _, j := range Jobs(tr) {
		d.line(fmt.Sprintf("%s +%d attempt %d step %.8s", j.Kind, j.At-epoch, j.Attempt, j.Step))
	}
	return d.b.String()
}

type printer struct {
	t     *testing.T
	p     *tape
	b     strings.Builder
	spans labels
}

func (d *printer) line(s string) { d.b.WriteString(s + "\n") }

func (d *printer) tree(s *Span, depth int) {
	f := []string{s.Name, string(s.Status), fmt.Sprintf("a%d", s.Attempts), "queued+" + fmt.Sprint(s.QueuedAt-epoch)}
	for _, at := range []struct {
		name string
		at   int64
	}{{"scheduled", s.ScheduledAt}, {"started", s.StartedAt}, {"ended", s.EndedAt}} {
		if at.at != 0 {
			f = append(f, fmt.Sprintf("%s+%d", at.name, at.at-epoch))
		}
	}
	if s.Duration != nil {
		f = append(f, fmt.Sprintf("took %d", *s.Duration))
	}
	if s.StepOp+s.StepID+s.StepType != "" {
		f = append(f, fmt.Sprintf("%s/%s %.8s", s.StepOp, s.StepType, s.StepID))
	}
	if s.StepInfo != nil {
		f = append(f, "("+infoText(s.StepInfo)+")")
	}
	if s.GroupID != "" {
		f = append(f, "group="+d.spans.of(s.GroupID))
	}
	f = append(f, "span="+d.spans.of(s.SpanID))
	if s.Response != nil {
		f = append(f, fmt.Sprintf("response %d %d headers", s.Response.Status, len(s.Response.Headers)))
	}
	indent := strings.Repeat("  ", depth)
	d.line(indent + strings.Join(f, " "))
	for _, m := range s.Metadata {
		values := make([]string, 0, len(m.Values))
		for _, k := range slices.Sorted(maps.Keys(m.Values)) {
			values = append(values, k+"="+string(m.Values[k]))
		}
		d.line(fmt.Sprintf("%s  | %s %s {%s}", indent, m.Scope, m.Kind, strings.Join(values, " ")))
	}
	if s.OutputID != "" {
		o := OutputOf(d.p.trace(), d.p.env, parse(d.t, s.OutputID))
		if o.Data == nil && o.Error == nil && o.Input == nil {
			d.t.Errorf("%s has an output id without anything behind it", s.Name)
		}
		e, _ := json.Marshal(o.Error)
		d.line(fmt.Sprintf("%s  > input %s data %s error %s", indent, o.Input, o.Data, e))
	}
	for _, c := range s.Children {
		if c.ParentID != s.SpanID && kindOf(c.SpanID) == "span" && kindOf(s.SpanID) == "span" && depth == 0 {
			d.t.Errorf("%s hangs on another span than %s", c.Name, s.Name)
		}
		d.tree(c, depth+1)
	}
}
