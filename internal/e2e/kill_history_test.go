package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// checkHistory compares the read model of a server that has been stopped with what the
// app saw, run by run: that it ended, by which event it began, and each step once with
// the memo that the app was called with.
func (w *witness) checkHistory(t *testing.T, where history.Config) {
	t.Helper()
	ctx := context.Background()
	db, err := history.Open(ctx, where)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	w.mu.Lock()
	defer w.mu.Unlock()
	number := map[string]int64{}
	for n, runs := range w.byEvent {
		for id := range runs {
			number[id] = n
		}
	}
	var page []ulid.ULID
	checked := 0
	flush := func() {
		traces, err := db.Traces(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(traces) != len(page) {
			t.Errorf("history has %d of %d runs", len(traces), len(page))
		}
		for i := range traces {
			if err := w.checkTrace(ctx, db, &traces[i], number[traces[i].Run.ID.String()]); err != nil {
				t.Errorf("history of run %s: %v", traces[i].Run.ID, err)
			}
			checked++
		}
		page = page[:0]
	}
	for id := range w.runs {
		if page = append(page, ulid.MustParse(id)); len(page) == 200 {
			flush()
		}
	}
	flush()
	n, err := db.CountRuns(ctx, &history.RunQuery{})
	if want := len(w.runs) + len(w.told); err != nil || n != want {
		t.Errorf("history counts %d runs, want %d: %v", n, want, err)
	}
	t.Logf("history has %d runs as they were", checked)
}

// checkTrace checks one run that a numbered event started.
func (w *witness) checkTrace(ctx context.Context, db *history.DB, tr *history.Trace, n int64) error {
	if tr.Run.Status != history.Completed || tr.Run.EndedAt == 0 || string(tr.Run.Output) != `{"ok":true}` {
		return fmt.Errorf("it has status %d, end %d, output %s", tr.Run.Status, tr.Run.EndedAt, tr.Run.Output)
	}
	if len(tr.Run.Events) != 1 {
		return fmt.Errorf("it has %d events", len(tr.Run.Events))
	}
	ev, err := db.Event(ctx, tr.Run.Events[0])
	if err != nil {
		return fmt.Errorf("its event: %w", err)
	}
	var data struct{ N int64 }
	if err := json.Unmarshal(ev.Data, &data); err != nil || data.N != n || ev.IDText() != fmt.Sprintf("event-%d", n) {
		return fmt.Errorf("its event is %s with %s, want event-%d", ev.IDText(), ev.Data, n)
	}
	memos, kinds := map[string]string{}, map[engine.LifecycleKind]int{}
	for _, l := range tr.Records {
		kinds[l.Kind]++
		if l.Kind != engine.StepCompleted {
			continue
		}
		if old, ok := memos[l.Step]; ok {
			return fmt.Errorf("step %s is there twice: %s and %s", l.Name, old, l.Payload)
		}
		memos[l.Step] = string(l.Payload)
	}
	for _, k := range []engine.LifecycleKind{engine.RunScheduled, engine.RunStarted, engine.RunCompleted} {
		if kinds[k] != 1 {
			return fmt.Errorf("%d records of kind %d", kinds[k], k)
		}
	}
	if kinds[engine.CallEnded] == 0 || kinds[engine.CallEnded] > kinds[engine.CallStarted] {
		return fmt.Errorf("%d calls, %d answers", kinds[engine.CallStarted], kinds[engine.CallEnded])
	}
	seen := w.runs[tr.Run.ID.String()].memos
	if len(memos) != len(seen) {
		return fmt.Errorf("it has %d steps, the app saw %d", len(memos), len(seen))
	}
	for id, memo := range seen {
		if memos[id] != memo {
			return fmt.Errorf("step %s is %s, the app saw %s", id, memos[id], memo)
		}
	}
	return nil
}
