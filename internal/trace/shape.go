package trace

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Shaping: which nodes are shown, and how groups look (spec 02 §10.6).

// shape returns the tree as it is shown.
func (b *builder) shape() *Span {
	r := b.root
	r.children = b.visible(r)
	for _, c := range r.children {
		r.Children = append(r.Children, c.finish(r))
	}
	if len(r.Children) > 0 {
		r.Name = "Run"
	}
	r.close()
	return &r.Span
}

// order sorts siblings.
func order(nodes []*node) {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		switch {
		case a.start != b.start:
			return cmp.Compare(a.start, b.start)
		case a.late == b.late:
			return cmp.Compare(a.at, b.at)
		case a.late:
			return 1
		}
		return -1
	})
}

// visible returns the run's children that are shown, grouped and in order.
func (b *builder) visible(r *node) []*node {
	order(r.children)
	out := r.children[:0]
	var promoted []Metadata
	finals := false
	for i, n := range r.children {
		switch n.kind {
		case kindDiscovery:
			if !n.shown() {
				if i == 0 && r.StartedAt == 0 && len(n.children) > 0 {
					r.StartedAt = n.children[0].StartedAt
				}
				for _, c := range n.children {
					promoted = append(promoted, c.Metadata...)
				}
				continue
			}
			n.group()
			if n.final {
				if finals {
					continue
				}
				finals = true
			}
		case kindStep:
			n.Metadata, promoted = append(n.Metadata, promoted...), nil
		}
		out = append(out, n)
	}
	return out
}

// shown reports whether a group has more to show than the steps that it found.
func (n *node) shown() bool {
	return slices.ContainsFunc(n.children, func(c *node) bool { return !c.drop })
}

// group makes a discovery look like what its calls did.
func (n *node) group() {
	order(n.children)
	queued := n.QueuedAt
	for i, c := range n.children {
		n.Attempts = max(n.Attempts, c.Attempts)
		n.take(c)
		c.Name = "Attempt " + strconv.Itoa(i)
		c.QueuedAt = queued
		queued = c.EndedAt
		if queued == 0 {
			queued = c.QueuedAt
		}
	}
	first, last := n.children[0], n.children[len(n.children)-1]
	n.StartedAt, n.EndedAt, n.Status = first.StartedAt, last.EndedAt, last.Status
	if n.final {
		n.Name, n.StepType = finalization, "FINALIZATION"
		n.StepID, n.OutputID = "", ""
	}
	if n.Name == nameExecution {
		n.Name = "Execution"
	}
	if len(n.children) == 1 && first.Status == Completed {
		n.Response, n.Metadata = first.Response, append(n.Metadata, first.Metadata...)
		n.children = first.children
	}
}

// take lets a group be what a child says it was; the last one to say so wins.
func (n *node) take(c *node) {
	n.final = n.final || c.final
	if strings.HasPrefix(n.Name, "executor.") {
		n.Name = c.Name
	}
	if c.OutputID != "" {
		n.OutputID = c.OutputID
	}
	if c.StepOp != "" {
		n.StepOp = c.StepOp
	}
	if c.StepID != "" {
		n.StepID = c.StepID
	}
	if c.StepInfo != nil {
		n.StepInfo = c.StepInfo
	}
	if c.StepType != "" {
		n.StepType = c.StepType
	}
}

// finish makes a node's subtree the one that is shown.
func (n *node) finish(parent *node) *Span {
	n.ParentID = parent.SpanID
	order(n.children)
	if len(n.children) == 1 && n.children[0].kind == kindUser && n.children[0].Name == executionSpan {
		n.children = n.children[0].children
		order(n.children)
	}
	for _, c := range n.children {
		n.Children = append(n.Children, c.finish(n))
	}
	if n.Name == "" {
		n.Name = "Unknown step"
	}
	n.close()
	return &n.Span
}

// close takes the end from what has not ended.
func (n *node) close() {
	if !n.Status.Ended() && n.kind != kindUser {
		n.EndedAt = 0
	}
}
