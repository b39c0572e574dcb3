package flame

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"ingot/profiles/budget"
	"ingot/profiles/stacks"
)

func stack(value int64, functions ...string) stacks.Stack {
	s := stacks.Stack{Value: value}
	for _, f := range functions {
		s.Frames = append(s.Frames, stacks.Frame{Function: f})
	}
	return s
}

func TestTree(t *testing.T) {
	t.Parallel()
	var names index
	got := build([]stacks.Stack{
		stack(1, "runtime.mcall"),
		stack(10, "a", "b"),
		stack(3, "a", "ingot/engine.f"),
		stack(20, "a", "b", "ingot/api.g"),
	}).flat(&names)
	other, api, engine, scheduler := int64(budget.Other), int64(budget.API), int64(budget.Partition), int64(budget.Scheduler)
	n := func(name string) int64 { return int64(names.of(name)) }
	want := []int64{ // depth first, the costliest child first, coloured by the costliest stage
		0, n("all"), api, 34,
		1, n("a"), api, 33,
		2, n("b"), api, 30,
		3, n("ingot/api.g"), api, 20,
		2, n("ingot/engine.f"), engine, 3,
		1, n("runtime.mcall"), scheduler, 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v (other is %d)", got, want, other)
	}
}

func TestSmallestAreLeftOut(t *testing.T) {
	t.Parallel()
	var names index
	got := build([]stacks.Stack{stack(1_000_000, "a"), stack(1, "b", "c")}).flat(&names)
	if len(got) != 2*4 || got[3] != 1_000_001 {
		t.Errorf("got %v, want the root with all and a", got)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	page := Page{Title: "T <1>", Subtitle: "S & s", PerName: "run", Views: []View{
		{Name: "CPU", Unit: "ns", Per: 4, Stacks: []stacks.Stack{stack(8, "main", "</script><b>")}},
		{Name: "nothing", Unit: "ns"},
	}}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	if !strings.Contains(html, "T &lt;1&gt;") || strings.Contains(html, "</script><b>") {
		t.Error("texts are not escaped")
	}
	if m := regexp.MustCompile(`(?i)(src|href)\s*=|@import|url\(|https?://`).FindString(html); m != "" {
		t.Errorf("the page needs something else: %q", m)
	}
	_, rest, _ := strings.Cut(html, `id="data">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var d data
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if len(d.Views) != 1 || d.Views[0].Per != 4 || d.Per != "run" || len(d.Views[0].Nodes) != 3*4 {
		t.Errorf("data: %+v", d)
	}
	if name := d.Names[d.Views[0].Nodes[9]]; name != "</script><b>" {
		t.Errorf("the leaf is %q", name)
	}
	if len(d.Stages) != len(d.Views[0].Sums) || d.Views[0].Sums[budget.Other] != 8 {
		t.Errorf("sums: %v", d.Views[0].Sums)
	}
}
