package inngestdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ingot/internal/trace"

	"github.com/oklog/ulid/v2"
)

const (
	id1 = "00000000000000b1"
	id2 = "00000000000000b2"
	id3 = "00000000000000b3"
	id4 = "00000000000000b4"
	id5 = "00000000000000b5"
	id6 = "00000000000000b6"
	id7 = "00000000000000b7"
)

// traces are runs as the reference writes them.
var traces = map[string]func(*world){
	// As in spec 02 §10.7.
	"two-and-sleep": func(w *world) {
		p := newPen(w, nil)
		p.call(0)
		p.answer("Completed", 206, kv{"step.id": hashed("one"), "step.op": "StepRun"}, `{"data":1}`, "StepRun", "one")
		p.step(id1, "Completed", "StepRun", "one", nil, `{"data":1}`, "")
		p.discover(id1)
		p.call(0)
		p.answer("Completed", 206, kv{"executor.drop": true, "step.id": hashed("two"), "step.op": "Sleep", "started_at": ms(p.now + 10)}, "", "Sleep", "two")
		p.step(id2, "Sleeping", "Sleep", "two", kv{"step.sleep.duration": 1000}, "", "")
		p.wait(1000)
		p.wake(id2, "Completed", nil, "")
		p.discover("")
		p.call(0)
		p.answer("Completed", 206, nil, `{"data":"x"}`, "StepRun", "three")
		p.step(id3, "Completed", "StepRun", "three", nil, `{"data":"x"}`, "")
		p.discover(id3)
		p.call(0)
		p.answer("Completed", 200, kv{"is.function.output": true}, `{"data":{"done":true}}`)
		p.end("Completed", `{"data":{"done":true}}`)
	},
	"parallel": func(w *world) {
		p := newPen(w, nil)
		p.call(0)
		p.answer("Completed", 206, kv{"executor.drop": true}, "", "StepPlanned", "p1", "StepPlanned", "p2", "Sleep", "s")
		p.step(id1, "Queued", "StepPlanned", "p1", nil, "", "")
		p.step(id2, "Queued", "StepPlanned", "p2", nil, "", `[1]`)
		p.step(id3, "Sleeping", "Sleep", "s", kv{"step.sleep.duration": 50}, "", "")
		p.discover("")
		one := p.discovery
		p.discover("")
		two := p.discovery
		p.discovery = one
		p.call(0)
		p.answer("Failed", 206, nil, `{"error":{"message":"no"}}`, "StepError", "p1")
		p.step(id4, "Errored", "StepError", "p1", nil, `{"error":{"message":"no","name":"E"}}`, "")
		p.discovery = two
		p.call(0)
		p.answer("Completed", 206, nil, `{"data":2}`, "StepRun", "p2")
		p.step(id2, "Completed", "StepRun", "p2", nil, `{"data":2}`, `[1]`)
		p.wait(1000)
		p.wake(id3, "Completed", nil, "")
		p.discovery, p.queued = one, p.now
		p.call(1)
		p.answer("Completed", 206, nil, `{"data":1}`, "StepRun", "p1")
		p.step(id1, "Completed", "StepRun", "p1", kv{"step.attempt": 1}, `{"data":1}`, "")
	},
	"waits": func(w *world) {
		p := newPen(w, nil)
		p.call(0)
		p.answer("Completed", 206, kv{"executor.drop": true}, "",
			"WaitForEvent", "w1", "WaitForEvent", "w2", "WaitForSignal", "w3", "InvokeFunction", "i1", "InvokeFunction", "i2", "InvokeFunction", "i3")
		expiry := ms(p.now + 60_000)
		event := kv{"step.wait_for_event.name": "t/b", "step.wait_for_event.if": "async.data.x == 1", "step.wait.expiry": expiry}
		p.step(id1, "Waiting", "WaitForEvent", "w1", event, "", "")
		p.step(id2, "Waiting", "WaitForEvent", "w2", event, "", "")
		p.step(id3, "Waiting", "WaitForSignal", "w3", kv{"step.signal.name": "sig", "step.wait.expiry": expiry}, "", "")
		for i, id := range []string{id4, id5, id6} {
			p.step(id, "Invoking", "InvokeFunction", fmt.Sprintf("i%d", i+1), kv{
				"step.invoke.function.id": "app-fn", "step.wait.expiry": expiry,
				"step.invoke.trigger.event.id": ulidAt(p.now, byte(10+i)).String(),
			}, "", "")
		}
		p.wait(100)
		p.wake(id1, "Completed", kv{"step.wait.expired": false, "step.wait_for_event.matched_id": ulidAt(p.now, 20).String()}, `{"name":"t/b","data":{"x":1}}`)
		p.wake(id3, "Completed", kv{"step.wait.expired": false}, `{"data":{"signal":"sig","data":5}}`)
		p.extend(id4, p.root, "", kv{"step.invoke.run.id": ulidAt(p.now, 30).String()}, "")
		p.wake(id4, "Completed", kv{"step.invoke.finish.event.id": ulidAt(p.now, 21).String()}, `{"data":"ok"}`)
		p.wake(id5, "Errored", kv{"step.invoke.finish.event.id": ulidAt(p.now, 22).String()}, `{"error":{"message":"no"}}`)
		p.wait(60_000)
		p.wake(id2, "Completed", kv{"step.wait.expired": true}, "")
		p.wake(id6, "TimedOut", kv{"step.wait.expired": true}, `{"error":{"message":"Timed out"}}`)
	},
	"failing": func(w *world) {
		p := newPen(w, nil)
		for attempt := range 2 {
			p.call(attempt)
			p.answer("Failed", 500, kv{"is.function.output": true, "retryable": attempt == 0}, `{"error":{"message":"no","name":"E"}}`)
			p.wait(1000)
			p.queued = p.now
		}
		p.end("Failed", `{"error":{"message":"no","name":"E","stack":"s"}}`)
	},
	"failing-step": func(w *world) {
		p := newPen(w, nil)
		p.call(0)
		p.answer("Failed", 206, nil, "", "StepError", "bad")
		p.step(id1, "Errored", "StepError", "bad", nil, `{"error":{"message":"no"}}`, "")
		p.wait(1000)
		p.queued = p.now
		p.call(1)
		p.answer("Failed", 206, nil, "", "StepFailed", "bad")
		p.step(id2, "Failed", "StepFailed", "bad", kv{"step.attempt": 1}, `{"error":{"message":"no"}}`, "")
		p.discover(id2)
		p.call(0)
		p.answer("Completed", 200, kv{"is.function.output": true}, `{"data":null}`)
		p.end("Completed", `{"data":null}`)
	},
	"gateway": func(w *world) {
		p := newPen(w, nil)
		p.call(0)
		p.answer("Running", 206, kv{"ended_at": nil}, "", "AIGateway", "ask")
		p.wait(500)
		p.step(id1, "Completed", "AIGateway", "ask", kv{"step.run.type": "step.ai.infer"}, `{"data":{"choices":[]}}`, `{"model":"m"}`)
		p.extend(p.exec, p.discovery, "Completed", kv{"ended_at": ms(p.now)}, `{"data":{"choices":[]}}`)
		p.discover(id1)
		p.call(0)
	},
	"extras": func(w *world) {
		p := newPen(w, kv{"run.is_durable_endpoint": true, "run.replay_original_run_id": ulidAt(epoch-1000, 40).String(), "cron.schedule": "* * * * *"})
		p.step(id1, "Completed", "StepRun", "one", kv{"checkpoint": true}, `{"data":1}`, "")
		p.span(spanMetadata, id2, id1, "", kv{"metadata.kind": "userland.k", "metadata.op": "merge", "metadata.scope": "step", "metadata.values": `{"a":1}`}, "", "")
		p.span(spanMetadata, id3, p.root, "", kv{"metadata.kind": "userland.r", "metadata.op": "set", "metadata.scope": "run", "metadata.values": `{"b":2}`}, "", "")
		p.span(spanUserland, id4, id1, "", kv{
			"userland": true, "userland.name": "GET /", "userland.kind": "CLIENT", "userland.service.name": "shop",
			"step.id": hashed("one"), "step.attempt": 0, ".http.method": "GET",
		}, "", "")
		p.span(spanDefer, id5, p.root, "", kv{"defer.hashed_id": hashed("d1"), "defer.userland_id": "d1", "defer.fn_slug": "app-later", "defer.status": "scheduled"}, "", "")
		p.span(spanDefer, id6, p.root, "", kv{"defer.hashed_id": hashed("d2"), "defer.userland_id": "d2", "defer.fn_slug": "app-later", "defer.status": "aborted"}, "", "")
		p.span(spanDefer, id7, p.root, "", kv{"defer.hashed_id": hashed("d3"), "defer.userland_id": "d3", "defer.fn_slug": "app-later", "defer.status": "rejected"}, "", "")
		p.end("Cancelled", "")
	},
}

// TestTraces imports whole runs, and compares their records and what is shown of them.
func TestTraces(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		names := slices.Sorted(maps.Keys(traces))
		for _, name := range names {
			traces[name](w)
		}
		w.importAll()
		for i, name := range names {
			run := ulidAt(epoch, byte(i+1))
			var b strings.Builder
			b.WriteString(w.lines(run) + "\n\n")
			all, err := w.dst.Traces(t.Context(), []ulid.ULID{run})
			if err != nil {
				t.Fatal(err)
			}
			tree(&b, trace.Tree(&all[0], trace.Env{Now: epoch + 100_000}), 0)
			expect(t, "trace-"+name, b.String())
		}
		if text := w.logs.String(); strings.Contains(text, "level=WARN") {
			t.Error(text)
		}
	})
}

// tree describes a span and those below it.
func tree(b *strings.Builder, s *trace.Span, depth int) {
	fmt.Fprintf(b, "%s%s %s", strings.Repeat("  ", depth), s.Name, s.Status)
	if s.StepOp != "" {
		fmt.Fprintf(b, " %s", s.StepOp)
	}
	if s.Duration != nil {
		fmt.Fprintf(b, " %d ms", *s.Duration)
	}
	if s.Response != nil {
		fmt.Fprintf(b, " response=%d", s.Response.Status)
	}
	if s.OutputID != "" {
		b.WriteString(" output")
	}
	for _, m := range s.Metadata {
		if !derivedKinds[m.Kind] {
			fmt.Fprintf(b, " %s", m.Kind)
		}
	}
	b.WriteString("\n")
	for _, c := range s.Children {
		tree(b, c, depth+1)
	}
}
