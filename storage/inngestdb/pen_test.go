package inngestdb

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Ids of the runs that tests write.
const epoch = 1_790_000_000_000

var (
	penRun   = ulidAt(epoch, 1)
	penEvent = ulidAt(epoch-5, 2)
	penFn    = ids.UUIDv5([]byte("fn"))
	penApp   = ids.UUIDv5([]byte("app"))
)

func ulidAt(ms int64, n byte) ulid.ULID {
	var u ulid.ULID
	_ = u.SetTime(uint64(ms))
	u[15] = n
	return u
}

// kv are attributes without their prefix.
type kv map[string]any

// pen writes the rows of one run as the reference does (spec 02 §10.5). Its clock moves
// only when it is told to.
type pen struct {
	w     *world
	run   ulid.ULID
	trace string
	root  string
	now   int64 // unix ms
	rows  int
	// discovery is the span below which calls are made, exec the latest call, queued when
	// that was queued.
	discovery, exec string
	queued          int64
}

// newPen begins a run that was scheduled and, 5 ms later, started.
func newPen(w *world, root kv) *pen {
	w.pens++
	p := &pen{w: w, run: ulidAt(epoch, w.pens), trace: fmt.Sprintf("%032x", w.pens), root: "00000000000000aa", now: epoch}
	w.insert("function_runs", runRow(p.run, penEvent))
	all := kv{"queued_at": ms(epoch), "scheduled_at": ms(epoch), "event.ids": []string{penEvent.String()}}
	maps.Copy(all, root)
	p.span(spanRun, p.root, "0000000000000000", "Queued", all, "", `[{"name":"t/a"}]`)
	p.discover("")
	p.wait(5)
	p.extend(p.root, "0000000000000000", "Running", kv{"started_at": ms(p.now)}, "")
	return p
}

// ms is a time as attributes have it.
func ms(at int64) string { return fmt.Sprint(at) }

// text is a time as SQLite has it.
func text(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.999999999 -0700 MST")
}

func hashed(name string) string {
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (p *pen) wait(ms int64) { p.now += ms }

func (p *pen) id() string {
	p.rows++
	return fmt.Sprintf("%016x", p.rows)
}

// row inserts a row of spans.
func (p *pen) row(id, name, dynamic, parent string, attrs kv, links, output, input string) {
	all := map[string]any{"_inngest.dynamic.span.id": dynamic, "_inngest.run.id": p.run.String()}
	for k, v := range attrs {
		if k[0] == '.' { // of a user
			all[k[1:]] = v
			continue
		}
		all["_inngest."+k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		p.w.t.Fatal(err)
	}
	at := time.UnixMilli(p.now).Add(time.Duration(p.rows) * time.Microsecond).UTC().Format("2006-01-02 15:04:05.999999999 -0700 MST")
	null := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	p.w.insert("spans", map[string]any{
		"span_id": id, "trace_id": p.trace, "parent_span_id": parent, "name": name, "start_time": at, "end_time": at,
		"attributes": string(raw), "links": links, "dynamic_span_id": dynamic, "account_id": "a", "app_id": "a", "function_id": penFn.String(),
		"run_id": p.run.String(), "env_id": "e", "output": null(output), "status": attrs["dynamic.status"], "input": null(input),
		"is_deferred": nil,
	})
}

func with(attrs kv, status string) kv {
	all := maps.Clone(attrs)
	if all == nil {
		all = kv{}
	}
	if status != "" {
		all["dynamic.status"] = status
	}
	return all
}

// span makes a span.
func (p *pen) span(name, dynamic, parent, status string, attrs kv, output, input string) {
	p.rows++
	p.row(dynamic, name, dynamic, parent, with(attrs, status), "null", output, input)
}

// extend changes a span.
func (p *pen) extend(dynamic, parent, status string, attrs kv, output string) {
	p.row(p.id(), spanExtend, dynamic, parent, with(attrs, status), "null", output, "")
}

// discover makes the span below which the next calls are made, led to by a span.
func (p *pen) discover(cause string) {
	p.discovery, p.queued = p.id(), p.now
	links := "null"
	if cause != "" {
		links = fmt.Sprintf(`[{"SpanContext":{"TraceID":"%s","SpanID":"%s"},"Attributes":[{"Key":"_inngest.link.type"}]}]`, p.trace, cause)
	}
	p.row(p.discovery, "executor.step.discovery", p.discovery, p.root, kv{"queued_at": ms(p.now)}, links, "", "")
}

// call begins an exchange.
func (p *pen) call(attempt int) {
	p.wait(2)
	p.exec = p.id()
	p.row(p.exec, spanExecution, p.exec, p.discovery, kv{
		"dynamic.status": "Running", "queued_at": ms(p.queued), "scheduled_at": ms(p.queued), "started_at": ms(p.now), "step.attempt": attempt,
	}, "null", "", "")
}

// answer ends it after 10 ms. ops are pairs of op and name.
func (p *pen) answer(status string, code int, attrs kv, output string, ops ...string) {
	p.wait(10)
	type pair struct {
		Op   string `json:"op"`
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	list := []pair{}
	for i := 0; i < len(ops); i += 2 {
		list = append(list, pair{ops[i], hashed(ops[i+1]), ops[i+1]})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		p.w.t.Fatal(err)
	}
	all := kv{
		"ended_at": ms(p.now), "response.status_code": code, "response.output_size": 100, "response.step.ops": string(raw),
		"response.headers": `{"X-Inngest-Sdk":"js:v4","Content-Type":"application/json"}`,
	}
	maps.Copy(all, attrs)
	p.extend(p.exec, p.discovery, status, all, output)
	p.rows++
	p.row(p.id(), spanMetadata, p.id(), p.exec, kv{
		"metadata.kind": "inngest.http.timing", "metadata.op": "merge", "metadata.scope": "request", "metadata.values": `{"total_ms":1}`,
	}, "null", "", "")
}

// step makes the span of a step, which ran for 4 ms if it has ended.
func (p *pen) step(dynamic, status, op, name string, attrs kv, output, input string) {
	all := kv{"step.id": hashed(name), "step.name": name, "step.op": op, "queued_at": ms(p.now), "step.attempt": 0}
	if status == "Completed" || status == "Failed" || status == "Errored" {
		all["started_at"], all["ended_at"] = ms(p.now-4), ms(p.now)
	}
	maps.Copy(all, attrs)
	p.rows++
	p.row(p.id(), spanStep, dynamic, p.root, with(all, status), "null", output, input)
}

// wake ends a sleep, a wait or an invocation.
func (p *pen) wake(dynamic, status string, attrs kv, output string) {
	p.extend(dynamic, p.root, status, with(kv{"ended_at": ms(p.now)}, ""), "")
	p.extend(dynamic, p.root, status, attrs, output)
}

// end ends the run.
func (p *pen) end(status, output string) {
	p.wait(1)
	p.extend(p.root, "0000000000000000", status, kv{"ended_at": ms(p.now)}, output)
}
