package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

func (m *model) check(db *DB) {
	ctx := m.t.Context()
	m.bundled = max(m.bundled, checkBundles(m.t, db))
	m.checkRuns(ctx, db)
	m.checkEvents(ctx, db)
	for range 8 {
		m.checkRunList(ctx, db, m.runQuery())
		m.checkEventList(ctx, db, m.eventQuery())
	}
	logNext, outbox, err := db.Cursors(ctx)
	if err != nil || m.logNext != 0 && logNext != m.logNext && m.fns[0][0] == 1 {
		m.t.Errorf("cursor of the log %d, want %d; %v", logNext, m.logNext, err)
	}
	for p, n := range m.outbox {
		if outbox[p] != n {
			m.t.Errorf("cursor of outbox %d is %d, want %d", p, outbox[p], n)
		}
	}
}

func (m *model) checkRuns(ctx context.Context, db *DB) {
	traces, err := db.Traces(ctx, append([]ulid.ULID{{1}}, m.order...))
	if err != nil || len(traces) != len(m.order) {
		m.t.Fatalf("%d traces of %d: %v", len(traces), len(m.order), err)
	}
	for _, tr := range traces {
		want := m.runs[tr.Run.ID]
		if diff := sameRun(tr.Run, want.Run, true); diff != "" {
			m.t.Errorf("run %s: %s", tr.Run.ID, diff)
		}
		if len(tr.Records) != len(want.records) {
			m.t.Errorf("run %s has %d records, want %d", tr.Run.ID, len(tr.Records), len(want.records))
			continue
		}
		for i := range tr.Records {
			if fmt.Sprint(tr.Records[i]) != fmt.Sprint(want.records[i]) {
				m.t.Errorf("record %d: %v, want %v", i, tr.Records[i], want.records[i])
			}
		}
	}
	if _, err := db.Run(ctx, ulid.ULID{1}); !errors.Is(err, ErrNotFound) {
		m.t.Errorf("a run that does not exist: %v", err)
	}
	byEvent, err := db.RunsOfEvents(ctx, m.made, true)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, ev := range m.made {
		var want []ulid.ULID
		for id, r := range m.runs {
			if slices.Contains(r.Events, ev) {
				want = append(want, id)
			}
		}
		var got []ulid.ULID
		for _, r := range byEvent[ev] {
			got = append(got, r.ID)
		}
		if !sameSet(got, want) {
			m.t.Errorf("runs of event %s: %v, want %v", ev, got, want)
		}
	}
}

// sameRun returns how two runs differ.
func sameRun(got, want Run, output bool) string {
	if !output {
		want.Output = nil
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		return g + "\nwant " + w
	}
	return ""
}

func sameSet(a, b []ulid.ULID) bool {
	byID := func(a, b ulid.ULID) int { return a.Compare(b) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byID), slices.SortedFunc(slices.Values(b), byID))
}

func (m *model) checkEvents(ctx context.Context, db *DB) {
	events, err := db.EventsByID(ctx, append([]ulid.ULID{{1}}, m.made...))
	if err != nil || len(events) != len(m.made) {
		m.t.Fatalf("%d events of %d: %v", len(events), len(m.made), err)
	}
	for _, e := range events {
		if got, want := fmt.Sprintf("%+v", e), fmt.Sprintf("%+v", m.events[e.ID]); got != want {
			m.t.Errorf("event %s\nwant %s", got, want)
		}
	}
	skips, err := db.Skips(ctx, m.made)
	if err != nil {
		m.t.Fatal(err)
	}
	n := 0
	for _, s := range skips {
		if want := m.skips[skipID{s.Event, s.Function}]; s != want {
			m.t.Errorf("skip %+v, want %+v", s, want)
		}
		n++
	}
	for k := range m.skips {
		if _, ok := m.events[k.event]; ok {
			n--
		}
	}
	if n != 0 {
		m.t.Errorf("%d skips too many", n)
	}
}

// bounds are random ends of a window, some open, some empty.
func (m *model) bounds() (from, until int64) {
	from, until = m.time(), m.time()
	if m.pick(3) {
		from = m.begin + m.r.Int64N(3)
		until = from + m.r.Int64N(3)
	}
	if m.pick(4) {
		from = 0
	}
	if m.pick(4) {
		until = 0
	}
	return from, until
}

func (m *model) runQuery() *RunQuery {
	q := &RunQuery{Limit: 4 + m.r.IntN(40), Ascending: m.pick(2), Outputs: m.pick(3)}
	q.From, q.Until = m.bounds()
	q.Field = TimeField(m.r.IntN(3))
	switch m.r.IntN(4) {
	case 0:
		q.Functions = []ids.UUID{m.fns[0], m.fns[3], {7}}
	case 1:
		q.Functions = m.fns[:m.r.IntN(len(m.fns))]
	}
	if q.Functions == nil && m.fns[0][0] != 1 {
		q.Functions = m.fns // others have left theirs
	}
	if m.pick(2) {
		for range 1 + m.r.IntN(3) {
			if s := Status(1 + m.r.IntN(6)); !slices.Contains(q.Statuses, s) {
				q.Statuses = append(q.Statuses, s)
			}
		}
	}
	if m.pick(3) {
		d := m.pick(2)
		q.Deferred = &d
	}
	return q
}

func (q *RunQuery) selects(r *Run) bool {
	at := r.QueuedAt
	if q.Field == ByEnded {
		at = r.EndedAt
	}
	return (q.Functions == nil || slices.Contains(q.Functions, r.Function)) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status)) &&
		(q.Deferred == nil || *q.Deferred == r.Deferred) && (q.Field != ByEnded || r.EndedAt != 0) &&
		(q.From == 0 || at >= q.From) && (q.Until == 0 || at <= q.Until)
}

// checkRunList reads all pages of a query.
func (m *model) checkRunList(ctx context.Context, db *DB, q *RunQuery) {
	var want, got []ulid.ULID
	for id, r := range m.runs {
		if q.selects(&r.Run) {
			want = append(want, id)
		}
	}
	n, err := db.CountRuns(ctx, q)
	if err != nil || n != len(want) {
		m.t.Errorf("%+v counts %d, want %d; %v", q, n, len(want), err)
	}
	last := RunPosition{}
	for {
		page, err := db.Runs(ctx, q)
		if err != nil {
			m.t.Fatalf("%+v: %v", q, err)
		}
		for _, r := range page {
			if diff := sameRun(r, m.runs[r.ID].Run, q.Outputs); diff != "" {
				m.t.Errorf("%+v: %s", q, diff)
			}
			at := RunPosition{r.ID, r.QueuedAt}
			if q.Field == ByEnded {
				at.At = r.EndedAt
			}
			if c := cmp.Compare(at.At, last.At); len(got) > 0 && c != 0 && (c > 0) != q.Ascending {
				m.t.Errorf("%+v: %d follows %d", q, at.At, last.At)
			}
			last = at
			got = append(got, r.ID)
		}
		if len(page) < q.Limit {
			break
		}
		q.After = &last
	}
	if !sameSet(got, want) {
		m.t.Errorf("%+v: %d runs %v, want %d %v", q, len(got), got, len(want), want)
	}
}

func (m *model) eventQuery() *EventQuery {
	q := &EventQuery{Limit: 10 + m.r.IntN(200), Internal: m.pick(2)}
	q.From, q.Until = m.bounds()
	if m.fns[0][0] != 1 && q.From == 0 {
		q.From = m.begin // others have left theirs
	}
	if m.pick(2) {
		q.Names = []string{m.names[m.r.IntN(5)], m.names[m.r.IntN(5)], "nobody"}
	}
	return q
}

func (m *model) checkEventList(ctx context.Context, db *DB, q *EventQuery) {
	var want, got []ulid.ULID
	for id, e := range m.events {
		at := int64(id.Time())
		if (q.Names == nil || slices.Contains(q.Names, e.Name)) && (q.Internal || !internalName(e.Name)) &&
			(q.From == 0 || at >= q.From) && (q.Until == 0 || at <= q.Until) {
			want = append(want, id)
		}
	}
	n, err := db.CountEvents(ctx, q)
	if err != nil || n != len(want) && (q.Until != 0 || m.fns[0][0] == 1) {
		m.t.Errorf("%+v counts %d, want %d; %v", q, n, len(want), err)
	}
	for {
		page, err := db.Events(ctx, q)
		if err != nil {
			m.t.Fatalf("%+v: %v", q, err)
		}
		for _, e := range page {
			if len(got) > 0 && e.ID.Time() > got[len(got)-1].Time() {
				m.t.Errorf("%+v: %s follows %s", q, e.ID, got[len(got)-1])
			}
			got = append(got, e.ID)
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	if !sameSet(got, want) {
		m.t.Errorf("%+v: %d events, want %d", q, len(got), len(want))
	}
}
