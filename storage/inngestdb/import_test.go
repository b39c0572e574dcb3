package inngestdb

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// stopping is a target that stops the import, before or after a batch is stored.
type stopping struct {
	*history.DB
	before bool
	stop   context.CancelFunc
	stores int
}

func (s *stopping) Store(ctx context.Context, b *history.Batch) error {
	s.stores++
	if s.before {
		s.stop()
	}
	err := s.DB.Store(ctx, b)
	s.stop()
	return err
}

// many inserts a number of runs with events and ends.
func many(w *world, n int) {
	for i := range n {
		id, ev := ulidAt(epoch+int64(i)*10, 1), ulidAt(epoch+int64(i)*10, 2)
		w.insert("events", map[string]any{
			"internal_id": ev[:], "received_at": text(epoch), "event_id": ev.String(), "event_name": "t/a",
			"event_data": "{}", "event_user": "null", "event_ts": text(epoch),
		})
		w.insert("function_runs", runRow(id, ev))
		if i%2 == 0 {
			w.insert("function_finishes", map[string]any{
				"run_id": id[:], "status": "Completed", "output": `"ok"`, "completed_step_count": 0, "created_at": text(epoch + 1000),
			})
		}
	}
}

func runRow(id, ev ulid.ULID) map[string]any {
	return map[string]any{
		"run_id": id[:], "run_started_at": text(int64(id.Time())), "function_id": penFn.String(), "function_version": 0,
		"event_id": ev[:], "batch_id": make([]byte, 16), "original_run_id": make([]byte, 16),
	}
}

// TestResume stops the import in the middle of every page, once before it is stored and
// once after, when the place is not noted. Nothing is lost or doubled.
func TestResume(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		many(w, 10)
		stops := 0
		for before := true; ; before = !before {
			ctx, stop := context.WithCancel(t.Context())
			dst := &stopping{DB: w.dst, before: before, stop: stop}
			err := w.importer(dst).run(ctx)
			stop()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) || dst.stores != 1 {
				t.Fatalf("stopped: %v after %d batches", err, dst.stores)
			}
			if stops++; stops > 100 {
				t.Fatal("the import does not come to an end")
			}
		}
		// 4 pages of runs, 4 of events and 2 to 4 of ends were stored.
		if stops < 2*10 {
			t.Errorf("stopped only %d times", stops)
		}
		ended := 0
		for _, id := range w.runs() {
			if run, err := w.dst.Run(t.Context(), id); err != nil {
				t.Error(err)
			} else if run.Status == history.Completed && string(run.Output) == `"ok"` && run.EndedAt == max(epoch+1000, run.QueuedAt) {
				ended++
			}
			if n := strings.Count(w.lines(id), "scheduled due="); n > 1 {
				t.Errorf("run %s is scheduled %d times", id, n)
			}
		}
		runs, err := w.dst.CountRuns(t.Context(), &history.RunQuery{})
		events, err2 := w.dst.CountEvents(t.Context(), &history.EventQuery{Internal: true})
		if err := errors.Join(err, err2); err != nil || runs != 10 || events != 10 || ended != 5 {
			t.Errorf("%d runs, %d events, %d ended; %v", runs, events, ended, err)
		}
	})
}

// TestDone: an import that is complete does not look again, and what is there is not
// imported over.
func TestDone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		many(w, 2)
		mine := ulidAt(epoch, 1)
		old := &engine.Lifecycle{Kind: engine.RunScheduled, At: epoch, Run: mine, Fn: penFn, Name: "mine"}
		if err := w.dst.Store(t.Context(), &history.Batch{Records: []*engine.Lifecycle{old}}); err != nil {
			t.Fatal(err)
		}
		w.importAll()
		if run, err := w.dst.Run(t.Context(), mine); err != nil || run.Cron != "mine" || len(run.Events) != 0 {
			t.Errorf("a run that was there: %+v, %v", run, err)
		}
		w.insert("function_runs", runRow(ulidAt(epoch+5, 9), penEvent))
		w.importAll()
		if n := len(w.runs()); n != 2 {
			t.Errorf("%d runs after a second import", n)
		}
	})
}

// failing is a target that is away at first.
type failing struct {
	*history.DB
	fails int
}

func (f *failing) RunsByID(ctx context.Context, ids []ulid.ULID, outputs bool) ([]history.Run, error) {
	if f.fails--; f.fails >= 0 {
		return nil, history.ErrUnavailable
	}
	return f.DB.RunsByID(ctx, ids, outputs)
}

func (f *failing) Store(ctx context.Context, b *history.Batch) error {
	if f.fails--; f.fails >= 0 {
		return history.ErrUnavailable
	}
	return f.DB.Store(ctx, b)
}

// TestAway: the import waits for a database that is away, ever longer.
func TestAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		many(w, 1)
		im := w.importer(&failing{DB: w.dst, fails: 9})
		var waits []time.Duration
		im.pause = func(_ context.Context, d time.Duration) bool {
			if d >= retryMin {
				waits = append(waits, d)
			}
			return true
		}
		if err := im.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(waits) != 9 || waits[0] != retryMin || waits[1] != 2*retryMin || waits[8] != retryMax {
			t.Errorf("waits %v", waits)
		}
		if n := len(w.runs()); n != 1 {
			t.Errorf("%d runs", n)
		}
		if text := w.logs.String(); !strings.Contains(text, history.ErrUnavailable.Error()) {
			t.Errorf("log %s", text)
		}
	})
}

// TestNothing: without the reference's tables nothing is done, nor made.
func TestNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		if there, err := Present(t.Context(), w.src.DB, w.src.Dialect); err != nil || !there {
			t.Errorf("tables that are there: %v, %v", there, err)
		}
		w.exec("DROP TABLE function_runs")
		if there, err := Present(t.Context(), w.src.DB, w.src.Dialect); err != nil || there {
			t.Errorf("tables that are not there: %v, %v", there, err)
		}
		if err := ImportHistory(t.Context(), w.src, w.dst, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
		if tab, err := openTable(t.Context(), w.src, "ingot_import"); err != nil || tab.has("part") {
			t.Errorf("a table was made: %v", err)
		}
		if err := w.src.DB.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Present(t.Context(), w.src.DB, w.src.Dialect); err == nil {
			t.Error("a closed database has no tables")
		}
		ctx, stop := context.WithCancel(t.Context())
		im := w.importer(w.dst)
		im.pause = func(context.Context, time.Duration) bool { stop(); return false }
		if err := im.run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("import of a closed database: %v", err)
		}
	})
}

// TestLargeRows: a batch ends early where rows are large, and all of them come over.
func TestLargeRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		many(w, 6)
		big := `{"x":"` + strings.Repeat("x", batchBytes/2) + `"}`
		w.exec("UPDATE events SET event_data = $1", big)
		w.exec("UPDATE function_finishes SET output = $1", big)
		dst := &measuring{DB: w.dst}
		im := w.importer(dst)
		im.rows = pageRows
		if err := im.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if dst.largest < batchBytes || dst.largest > 2*batchBytes {
			t.Errorf("the largest batch has %d bytes", dst.largest)
		}
		events, err := w.dst.Events(t.Context(), &history.EventQuery{Limit: 100})
		if err != nil || len(events) != 6 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for i := range events {
			if string(events[i].Data) != big {
				t.Error("an event has other data")
			}
		}
		if n, err := w.dst.CountRuns(t.Context(), &history.RunQuery{Statuses: []history.Status{history.Completed}}); err != nil || n != 3 {
			t.Errorf("%d completed runs, %v", n, err)
		}
	})
}

type measuring struct {
	*history.DB
	largest int
}

func (m *measuring) Store(ctx context.Context, b *history.Batch) error {
	size := 0
	for _, rec := range b.Events {
		var e event.Event
		if _, err := event.DecodeRecord(rec, &e); err != nil {
			return err
		}
		size += len(e.Data)
	}
	for _, l := range b.Records {
		size += len(l.Payload)
	}
	m.largest = max(m.largest, size)
	return m.DB.Store(ctx, b)
}

func TestPause(t *testing.T) {
	t.Parallel()
	if !pause(t.Context(), 0) {
		t.Error("a pause that ended")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if pause(ctx, time.Hour) {
		t.Error("a pause without end")
	}
}
