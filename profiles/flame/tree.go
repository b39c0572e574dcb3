// Package flame draws flame graphs: it merges stacks into a tree and writes it
// with the script that draws it as one HTML page, which needs nothing else.
//
// What does not live here: reading profiles (package stacks).
package flame

import (
	"cmp"
	"slices"

	"ingot/profiles/budget"
	"ingot/profiles/stacks"
)

// node is a function at one place of the tree.
type node struct {
	name     string
	stage    int // of the costliest stack through it; the colour
	value    int64
	children []*node
	byName   map[string]*node
	byStage  map[int]int64
}

// build merges stacks from their roots. Children are sorted by cost.
func build(ss []stacks.Stack) *node {
	root := &node{name: "all"}
	for _, s := range ss {
		stage := int(budget.StageOf(s))
		n := root
		n.add(stage, s.Value)
		for _, f := range s.Frames {
			n = n.child(f.Function)
			n.add(stage, s.Value)
		}
	}
	root.finish()
	return root
}

func (n *node) add(stage int, value int64) {
	n.value += value
	if n.byStage == nil {
		n.byStage = map[int]int64{}
	}
	n.byStage[stage] += value
}

func (n *node) child(name string) *node {
	c := n.byName[name]
	if c == nil {
		if n.byName == nil {
			n.byName = map[string]*node{}
		}
		c = &node{name: name}
		n.byName[name] = c
		n.children = append(n.children, c)
	}
	return c
}

func (n *node) finish() {
	var most int64
	for stage, v := range n.byStage {
		if v > most || v == most && stage < n.stage {
			n.stage, most = stage, v
		}
	}
	slices.SortFunc(n.children, func(a, b *node) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.name, b.name))
	})
	for _, c := range n.children {
		c.finish()
	}
}

// smallest is the share of the whole below which a node is not drawn: it would be
// a fraction of a pixel, also after zooming into its parents.
const smallest = 1.0 / 50_000

// flat lists the tree in depth-first order as [depth, name, stage, value, …],
// which is small and quick to read. Names are numbers of an index.
func (n *node) flat(names *index) []int64 {
	least := int64(float64(n.value) * smallest)
	var out []int64
	var walk func(n *node, depth int64)
	walk = func(n *node, depth int64) {
		out = append(out, depth, int64(names.of(n.name)), int64(n.stage), n.value)
		for _, c := range n.children {
			if c.value > least {
				walk(c, depth+1)
			}
		}
	}
	walk(n, 0)
	return out
}

// index numbers names.
type index struct {
	names  []string
	number map[string]int
}

func (x *index) of(name string) int {
	i, ok := x.number[name]
	if !ok {
		if x.number == nil {
			x.number = map[string]int{}
		}
		i = len(x.names)
		x.number[name] = i
		x.names = append(x.names, name)
	}
	return i
}
