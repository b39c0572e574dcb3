package inngestdb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// Names of spans (spec 02 §10.3).
const (
	spanRun       = "executor.run"
	spanExecution = "executor.execution"
	spanStep      = "executor.step"
	spanDefer     = "executor.defer"
	spanMetadata  = "metadata"
	spanUserland  = "userland"
	spanExtend    = "EXTEND"
)

// fragment is a row of spans: a span, or what became of it later.
type fragment struct {
	id, trace, parent, name, group string
	start, end                     int64 // unix ns
	attrs                          attributes
	output, input                  []byte // raw JSON; nil if absent
	links                          string
	deferred                       bool
}

// status is the status that the row sets; empty if none.
func (f *fragment) status() string { return f.attrs.text("dynamic.status") }

// span is a logical span: the fragments that have one dynamic id (spec 02 §10.6).
type span struct {
	id, parent, name string
	fragments        []*fragment
	// attrs are those of the fragments, of which later ones win; output and input the last.
	attrs         attributes
	output, input []byte
}

// start is when the span was made, unix ns.
func (s *span) start() int64 { return s.fragments[0].start }

// has returns the first fragment that sets one of the statuses; nil if none does.
func (s *span) has(statuses ...string) *fragment {
	for _, f := range s.fragments {
		if slices.Contains(statuses, f.status()) {
			return f
		}
	}
	return nil
}

// Bounds of what is read of one run.
const (
	maxSpanBytes = 64 << 20
	spanColumns  = "span_id trace_id parent_span_id name start_time end_time attributes links dynamic_span_id output input is_deferred"
)

// readSpans returns the spans of a run, in the order in which they began.
func (im *importer) readSpans(ctx context.Context, run ulid.ULID) ([]*span, error) {
	var rows []*fragment
	size := 0
	err := im.spans.query(ctx, spanColumns, "WHERE run_id = $1", []any{run.String()}, func(r row) bool {
		f := im.fragment(run, r)
		rows = append(rows, f)
		size += len(r["attributes"].text()) + len(f.output) + len(f.input) + recordBytes
		if size > maxSpanBytes {
			im.faults.add("traces that are too large, of which the rest is left out", run.String())
		}
		return size <= maxSpanBytes
	})
	return group(rows), err
}

func (im *importer) fragment(run ulid.ULID, r row) *fragment {
	f := &fragment{
		id: r["span_id"].text(), trace: r["trace_id"].text(), parent: r["parent_span_id"].text(), name: r["name"].text(),
		group: cmp.Or(r["dynamic_span_id"].text(), r["span_id"].text()),
		start: r["start_time"].time(), end: r["end_time"].time(), links: r["links"].text(), deferred: r["is_deferred"].flag(),
	}
	ok := false
	if f.attrs, ok = parseAttributes(r["attributes"].text()); !ok {
		im.faults.add("attributes of spans that are no JSON object", run.String())
	}
	if f.output, ok = r["output"].json(); !ok {
		im.faults.add("outputs of spans that are no JSON", run.String())
	}
	if f.input, ok = r["input"].json(); !ok {
		im.faults.add("inputs of spans that are no JSON", run.String())
	}
	return f
}

// group joins fragments to spans (spec 02 §10.6 steps 1 and 2).
func group(rows []*fragment) []*span {
	slices.SortStableFunc(rows, func(a, b *fragment) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), strings.Compare(a.id, b.id))
	})
	type key struct{ trace, id, parent string }
	found := map[key]*span{}
	var out []*span
	for _, f := range rows {
		k := key{f.trace, f.group, f.parent}
		s := found[k]
		if s == nil {
			s = &span{id: f.group, parent: f.parent, attrs: attributes{}}
			found[k] = s
			out = append(out, s)
		}
		s.add(f)
	}
	return out
}

func (s *span) add(f *fragment) {
	s.fragments = append(s.fragments, f)
	for k, v := range f.attrs {
		s.attrs[k] = v
	}
	if f.output != nil {
		s.output = f.output
	}
	if f.input != nil {
		s.input = f.input
	}
	if f.name != spanExtend && (s.name == "" || strings.HasPrefix(f.name, "executor.")) {
		s.name = f.name
	}
}
