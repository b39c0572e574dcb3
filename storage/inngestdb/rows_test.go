package inngestdb

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// traceRow is a row of trace_runs.
func traceRow(id ulid.ULID, status int, more map[string]any) map[string]any {
	r := map[string]any{
		"run_id": id[:], "account_id": "a", "workspace_id": "w", "app_id": penApp.String(), "function_id": penFn.String(), "trace_id": []byte("t"),
		"queued_at": int64(id.Time()), "started_at": int64(-62135596800000), "ended_at": int64(-62135596800000), "status": status, "source_id": "",
		"trigger_ids": []byte(penEvent.String()), "output": nil, "is_debounce": 0, "batch_id": make([]byte, 16), "cron_schedule": nil, "has_ai": 0,
	}
	maps.Copy(r, more)
	return r
}

// TestSkipped: runs that were skipped become reasons at their events.
func TestSkipped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		other := ulidAt(epoch, 7)
		for _, reason := range []string{"Singleton", "FunctionBacklogSizeLimitHit"} {
			p := &pen{w: w, run: penRun, trace: "0123456789abcdef0123456789abcdef", now: epoch}
			trigger := penEvent
			if reason != "Singleton" {
				p.run, p.trace, trigger = ulidAt(epoch, 8), "f"+p.trace[1:], other
			}
			p.span(spanRun, "00000000000000aa", "0000000000000000", "Skipped", kv{
				"run.skip_reason": reason, "event.ids": []string{trigger.String()},
			}, "", "")
			triggers := []byte(trigger.String())
			if reason != "Singleton" {
				triggers = []byte("damaged") // the span has them too
			}
			w.insert("trace_runs", traceRow(p.run, codeSkipped, map[string]any{"trigger_ids": triggers}))
		}
		for range 2 {
			w.importAll()
			w.exec("DELETE FROM ingot_import")
		}
		skips, err := w.dst.Skips(t.Context(), []ulid.ULID{penEvent, other})
		if err != nil || len(skips) != 2 {
			t.Fatalf("skips %+v, %v", skips, err)
		}
		slices.SortFunc(skips, func(a, b history.Skip) int { return a.Event.Compare(b.Event) })
		want := []history.Skip{
			{Event: penEvent, Function: penFn, Reason: engine.SkipSingleton, At: epoch},
			{Event: other, Function: penFn, Reason: "FunctionBacklogSizeLimitHit", At: epoch},
		}
		if !slices.Equal(skips, want) {
			t.Errorf("skips %+v, want %+v", skips, want)
		}
		if n := len(w.runs()); n != 0 {
			t.Errorf("%d runs", n)
		}
	})
}

// TestTables: what the tables besides spans say of runs.
func TestTables(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		second, batch := ulidAt(epoch-4, 3), ulidAt(epoch, 50)
		r := runRow(penRun, penEvent)
		r["batch_id"], r["cron"], r["original_run_id"] = batch[:], "0 * * * *", second[:]
		w.insert("function_runs", r)
		w.insert("event_batches", map[string]any{
			"id": batch[:], "run_id": penRun[:], "started_at": text(epoch), "executed_at": text(epoch),
			"event_ids": []byte(penEvent.String() + "," + second.String()),
		})
		w.insert("trace_runs", traceRow(penRun, codeFailed, map[string]any{
			"started_at": epoch + 10, "ended_at": epoch + 20, "output": []byte(`{"name":"E","message":"no"}`), "batch_id": batch[:],
		}))
		running := ulidAt(epoch+1, 1)
		w.insert("function_runs", runRow(running, penEvent))
		w.insert("trace_runs", traceRow(running, codeRunning, nil))
		overflowed := ulidAt(epoch+2, 1)
		w.insert("trace_runs", traceRow(overflowed, codeOverflowed, map[string]any{"ended_at": epoch + 30, "cron_schedule": "@daily"}))
		w.importAll()
		expect(t, "tables", w.story())
		run, err := w.dst.Run(t.Context(), penRun)
		if err != nil || !run.Batch || !slices.Equal(run.Events, []ulid.ULID{penEvent, second}) || run.Original != second {
			t.Errorf("run %+v, %v", run, err)
		}
	})
}

// TestOldRelease: runs of a release that had neither spans nor trace_runs, nor all columns.
func TestOldRelease(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for i, status := range []string{"Completed", "Failed", "Cancelled", "Overflowed", "odd"} {
			id := ulidAt(epoch+int64(i), 1)
			w.insert("function_runs", runRow(id, penEvent))
			for range 2 { // is one end
				w.insert("function_finishes", map[string]any{
					"run_id": id[:], "status": status, "output": `{"error":{"message":"no"}}`,
					"completed_step_count": 0, "created_at": text(epoch + 100),
				})
			}
		}
		for _, stmt := range []string{
			"DROP TABLE spans", "DROP TABLE trace_runs", "DROP TABLE event_batches", "ALTER TABLE function_runs DROP COLUMN cron",
		} {
			w.exec(stmt)
		}
		w.importAll()
		expect(t, "old-release", w.story())
	})
}

// TestDamaged: rows that cannot be read are told of, and the others come over.
func TestDamaged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		many(w, 4)
		w.exec("UPDATE function_runs SET run_id = $1 WHERE run_id = $2", []byte("short"), idBytes(ulidAt(epoch, 1)))
		w.exec("UPDATE function_runs SET function_id = $1 WHERE run_id = $2", "nobody", idBytes(ulidAt(epoch+10, 1)))
		w.exec("UPDATE events SET internal_id = NULL WHERE internal_id = $1", idBytes(ulidAt(epoch, 2)))
		w.exec("UPDATE events SET internal_id = $1 WHERE internal_id = $2", []byte{}, idBytes(ulidAt(epoch+10, 2)))
		w.exec("UPDATE events SET event_data = $1, event_user = $2 WHERE internal_id = $3", "{", "[1]", idBytes(ulidAt(epoch+20, 2)))
		w.exec("UPDATE function_finishes SET output = 'x' WHERE run_id = $1", idBytes(ulidAt(epoch+20, 1)))
		whole := ulidAt(epoch+30, 1)
		w.insert("trace_runs", traceRow(whole, codeCompleted, map[string]any{"output": []byte("{"), "trigger_ids": []byte("x,y")}))
		w.insert("trace_runs", traceRow(ulidAt(epoch+40, 1), codeSkipped, map[string]any{"trigger_ids": []byte{}}))
		p := &pen{w: w, run: whole, trace: "0123456789abcdef0123456789abcdef", root: "00000000000000aa", now: epoch + 35}
		p.span(spanExecution, id1, "00000000000000ff", "Completed", kv{"response.headers": `{"A":1,"B":["x","y"]}`, "response.step.ops": "x", "step.attempt": "many"}, "{", "}")
		p.span(spanStep, id2, p.root, "Completed", nil, "", "")
		p.span(spanMetadata, id3, p.root, "", kv{"metadata.kind": "k", "metadata.values": "[]"}, "", "")
		if w.src.Dialect == SQLite {
			w.exec("UPDATE spans SET attributes = '[1]', start_time = 'never' WHERE span_id = $1", id2)
		} else {
			w.exec("UPDATE spans SET attributes = '[1]' WHERE span_id = $1", id2)
		}
		w.importAll()
		expect(t, "damaged", w.story())
		for _, kind := range []string{
			"runs without an id or a function\" count=2", "that is no JSON object", "outputs of spans that are no JSON\" count=1",
			"inputs of spans that are no JSON\" count=1", "attributes of spans that are no JSON object\" count=1", "spans of steps without an id\" count=1",
			"metadata that is no JSON object\" count=1", "outputs in trace_runs that are no JSON\" count=1",
			"skipped runs without events\" count=1", "rows of function_finishes\" count=1", "events without an id or a name\" count=",
		} {
			if !strings.Contains(w.logs.String(), kind) {
				t.Errorf("the log does not have %s", kind)
			}
		}
		if t.Failed() {
			t.Log(w.logs.String())
		}
	})
}

func idBytes(id ulid.ULID) []byte { return id[:] }
