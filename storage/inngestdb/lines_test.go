package inngestdb

import (
	"fmt"
	"strings"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

var kindNames = map[engine.LifecycleKind]string{
	engine.RunScheduled: "scheduled", engine.RunStarted: "started", engine.RunCompleted: "completed", engine.RunFailed: "failed",
	engine.RunCancelled: "cancelled", engine.StepCompleted: "step-completed", engine.StepFailed: "step-failed",
	engine.StepErrored: "step-errored", engine.StepPlanned: "step-planned", engine.StepSleeping: "step-sleeping",
	engine.StepWaiting: "step-waiting", engine.StepInvoking: "step-invoking", engine.StepTimedOut: "step-timed-out",
	engine.EventSkipped: "skipped", engine.CallStarted: "call", engine.CallEnded: "answer", engine.DeferAdded: "defer",
	engine.DeferEnded: "defer-ended", engine.StepMetadata: "metadata", engine.UserSpan: "user-span",
}

var statusNames = map[history.Status]string{
	history.Scheduled: "scheduled", history.Running: "running", history.Completed: "completed", history.Failed: "failed",
	history.Cancelled: "cancelled", history.Skipped: "skipped",
}

// line describes a record. Times are ms after base; ids are shortened.
func line(l *engine.Lifecycle, base int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+d %s", l.At-base, kindNames[l.Kind])
	add := func(is bool, format string, args ...any) {
		if is {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	add(l.Flags != 0, "flags=%d", l.Flags)
	add(l.Job != 0, "%d.%d", l.Job, l.Attempt)
	add(l.Op != 0, "%s", l.Op)
	add(l.Step != "", "step=%.4s", l.Step)
	add(l.Name != "", "name=%q", l.Name)
	add(l.Target != "", "target=%s", l.Target)
	add(l.Expr != "", "expr=%q", l.Expr)
	add(l.Started != 0, "ran=%+d,%d", l.Started-base, l.Duration/1e6)
	add(l.Due != 0, "due=%+d", l.Due-base)
	add(l.Child != ulid.ULID{}, "child=%s", l.Child)
	add(len(l.Events) > 0, "events=%d", len(l.Events))
	add(l.Status != 0, "status=%d size=%d ops=%d", l.Status, l.Size, l.Count)
	add(len(l.Header) > 0, "headers=%d", strings.Count(string(l.Header), "\r\n"))
	add(len(l.Payload) > 0, "payload=%s", l.Payload)
	add(len(l.Input) > 0, "input=%s", l.Input)
	return b.String()
}

// lines describes a run with its records.
func (w *world) lines(id ulid.ULID) string {
	w.t.Helper()
	traces, err := w.dst.Traces(w.t.Context(), []ulid.ULID{id})
	if err != nil || len(traces) != 1 {
		w.t.Fatalf("%d traces of %s: %v", len(traces), id, err)
	}
	run, err := w.dst.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	tr := &traces[0]
	base := int64(id.Time())
	at := func(ms int64) string {
		if ms == 0 {
			return "-"
		}
		return fmt.Sprintf("%+d", ms-base)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s started=%s ended=%s output=%s events=%d", statusNames[run.Status], at(run.StartedAt), at(run.EndedAt), run.Output, len(run.Events))
	for i := range tr.Records {
		b.WriteString("\n" + line(&tr.Records[i], base))
	}
	return b.String()
}

// runs are the ids of all runs, the oldest first.
func (w *world) runs() (out []ulid.ULID) {
	w.t.Helper()
	runs, err := w.dst.Runs(w.t.Context(), &history.RunQuery{Limit: 1000, Ascending: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range runs {
		out = append(out, runs[i].ID)
	}
	return out
}
