package engine

import (
	"bytes"
	"encoding/json"
	"fmt"

	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// The end of runs (spec 01 §12, spec 03 §15).

// failEarly fails a run whatever attempts are left. The run's output is the error
// as JSON text, and the error that handlers see is made of that output like of any
// other (spec 01 §11.5).
func (p *partition) failEarly(r *run, e *runError) {
	output := e.text()
	p.finish(r, RunFailed, output, attemptError(&Result{Output: output, Error: e.name}))
}

// failLimit is failEarly for the step limit when it is found before a call: there
// is no output, and the handlers see the error as JSON text alone.
func (p *partition) failLimit(r *run, e *runError) {
	e.err = "function has too many steps"
	var text string
	_ = json.Unmarshal(e.text(), &text)
	p.finish(r, RunFailed, nil, &runError{err: text, message: text, name: "Error"})
}

// finish ends a run: its state is deleted, those who wait for it are told, and
// what it deferred is started, all in this commit. output is the raw JSON result
// or the body of the failed answer; nil if there is none.
func (p *partition) finish(r *run, status LifecycleKind, output []byte, failure *runError) {
	p.end(r, &Lifecycle{Kind: status}, output, failure)
}

// end is finish; l says how the run ends, and by what.
func (p *partition) end(r *run, l *Lifecycle, output []byte, failure *runError) {
	if r.ended {
		return
	}
	var errJSON []byte
	if failure != nil {
		errJSON = failure.json()
	}
	payload := output
	if len(payload) == 0 {
		payload = errJSON
	}
	l.At, l.Run, l.Fn, l.Payload = p.now, r.id, r.fn, payload
	p.outbox.add(l)
	p.announce(r, l.Kind, output, errJSON)
	p.startDeferred(r)
	if r.sync != nil {
		p.keepOutput(r, output, errJSON, l.Kind)
	}
	p.delete(r)
}

// delete removes a run. What is stored of it goes with the round, in its place among what
// else is written.
func (p *partition) delete(r *run) {
	for i := range r.jobs {
		p.unlink(r, &r.jobs[i])
	}
	r.ended = true
	p.ended.add(r.id)
	p.touch(r)
	p.unlock(r)
	p.leaveRun(r)
}

// deleteStored removes what is stored of an ended run, besides its entry of the ready index.
func (p *partition) deleteStored(r *run) {
	if !r.stored {
		return
	}
	p.batch.Delete(TableRun, r.id[:])
	if r.apart {
		p.batch.Delete(TableTrigger, r.id[:])
	}
	if r.edited {
		p.batch.Delete(TableInput, r.id[:])
	}
	for i := range r.saved {
		p.batch.Delete(TableStep, stepKey(p.key[:0], r.id, i))
	}
}

var statusNames = map[LifecycleKind]string{RunCompleted: "Completed", RunFailed: "Failed", RunCancelled: "Cancelled"}

// announce publishes the run's lifecycle events and resumes invokers. Events
// that nobody listens to are not sent; the outbox has what history needs.
func (p *partition) announce(r *run, status LifecycleKind, output, errJSON []byte) {
	second := ""
	switch status {
	case RunFailed:
		second = event.NameFunctionFailed
	case RunCancelled:
		second = event.NameFunctionCancelled
	}
	listened := p.listened(event.NameFunctionFinished)
	also := second != "" && p.listened(second)
	if len(r.correlations) == 0 && !listened && !also {
		return
	}
	if name := eventName(r); name == event.NameFunctionFailed || name == event.NameFunctionFinished {
		return // no end of a handler of ends (spec 01 §12)
	}
	fn := p.fn(r)
	slug := ""
	if fn != nil {
		slug = fn.Slug
	}
	correlation := ""
	if len(r.correlations) > 0 {
		correlation = r.correlations[0]
	}
	data := endData(r, slug, correlation, statusNames[status], output, errJSON)
	finished := p.endEvent(r, event.NameFunctionFinished, "", data)
	for _, c := range r.correlations {
		run, step, ok := splitCorrelation(c)
		if !ok {
			continue
		}
		var memo []byte
		switch {
		case errJSON != nil:
			memo = wrap("error", errJSON)
		case status == RunCancelled:
			// No error and no result: the invoker sees the event itself, as in the
			// reference (spec 03 §14.6).
			memo = finished.AppendJSON(nil)
		default:
			memo = wrap("data", output)
		}
		p.send(message{kind: msgInvokeDone, to: runPartition(run, p.set.partitions), run: run, step: step, body: memo})
	}
	if listened {
		p.publish(finished)
	}
	if also {
		p.publish(p.endEvent(r, second, r.id.String(), data))
	}
}

func (p *partition) endEvent(r *run, name, id string, data []byte) *event.Event {
	ev := event.NewInternal(ids.Derive(p.now, r.id[:], []byte(name)), name, id, data, p.now)
	ev.Trace = r.trace
	ev.Sessions = eventSessions(r)
	return ev
}

// listened reports whether a function or a wait may match the name.
func (p *partition) listened(name string) bool {
	return p.names.listened(name)
}

func eventName(r *run) string {
	var e struct{ Name string }
	if len(r.events) > 0 {
		_ = json.Unmarshal(r.events[0], &e)
	}
	return e.Name
}

func eventSessions(r *run) []byte {
	if len(r.events) == 0 || !bytes.Contains(r.events[0], []byte(`"sessions"`)) {
		return nil
	}
	var e struct {
		Meta struct{ Sessions json.RawMessage }
	}
	_ = json.Unmarshal(r.events[0], &e)
	return e.Meta.Sessions
}

// endData builds the `data` of lifecycle events, canonical (spec 03 §5.2).
func endData(r *run, slug, correlation, status string, output, errJSON []byte) []byte {
	n := 256 + len(output) + len(errJSON)
	for _, ev := range r.events {
		n += 2 * len(ev)
	}
	b := make([]byte, 0, n)
	b = append(b, `{"_inngest":{"status":"`...)
	b = append(b, status...)
	b = append(b, `"}`...)
	if correlation != "" {
		b = appendJSONField(b, "correlation_id", correlation)
	}
	if errJSON != nil {
		b = append(b, `,"error":`...)
		b = append(b, errJSON...)
	}
	if len(r.events) > 0 {
		b = append(b, `,"event":`...)
		b = append(b, r.events[0]...)
	}
	b = append(b, `,"events":[`...)
	for i, ev := range r.events {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendWithoutUser(b, ev)
	}
	b = append(b, ']')
	b = appendJSONField(b, "function_id", slug)
	if output != nil {
		b = append(b, `,"result":`...)
		b = append(b, output...)
	}
	b = appendJSONField(b, "run_id", r.id.String())
	return append(b, '}')
}

func appendJSONField(b []byte, key, value string) []byte {
	q, _ := json.Marshal(value)
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return append(b, q...)
}

var emptyUser = []byte(`,"user":{}`)

// appendWithoutUser copies a canonical event without an empty `user`, which the
// reference leaves out of `events`. `user` is the last key but for `v`.
func appendWithoutUser(b, ev []byte) []byte {
	i := bytes.LastIndex(ev, emptyUser)
	if i < 0 {
		return append(b, ev...)
	}
	rest := ev[i+len(emptyUser):]
	if !bytes.Equal(rest, []byte("}")) && !bytes.HasPrefix(rest, []byte(`,"v":`)) {
		return append(b, ev...)
	}
	b = append(b, ev[:i]...)
	return append(b, rest...)
}

// startDeferred publishes the events that start deferred functions (spec 03 §5.7).
func (p *partition) startDeferred(r *run) {
	fn := p.fn(r)
	for i := range r.defers {
		d := &r.defers[i]
		if d.state != deferAfterRun || fn == nil {
			continue
		}
		info, _ := json.Marshal(struct {
			FnSlug     string   `json:"fn_slug"`
			AppID      string   `json:"parent_app_id"`
			Span       *spanRef `json:"parent_defer_span"`
			FnID       string   `json:"parent_fn_id"`
			ParentSlug string   `json:"parent_fn_slug"`
			RunID      string   `json:"parent_run_id"`
		}{d.slug, fn.AppID.String(), newSpanRef(r.id, d.id, false), fn.ID.String(), fn.Slug, r.id.String()})
		var data map[string]json.RawMessage
		if json.Unmarshal(d.input, &data) != nil || data == nil {
			data = map[string]json.RawMessage{}
		}
		data["_inngest"] = info
		raw, _ := json.Marshal(data)
		id := ids.Derive(int64(r.id.Time()), []byte("defer-event"), r.id[:], []byte(d.id))
		ev := event.NewInternal(id, event.NameDeferredSchedule, "", raw, p.now)
		ev.Trace = r.trace
		var meta struct{ Sessions json.RawMessage }
		if json.Unmarshal(d.meta, &meta) == nil && len(meta.Sessions) > 2 {
			ev.Sessions = meta.Sessions
		}
		p.publish(ev)
	}
}

// finishSync ends a durable endpoint's run with the response it gave (spec 01 §14.3).
func (p *partition) finishSync(r *run, data []byte) {
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(data, &body) == nil && len(body.Data) > 0 && body.Data[0] == '{' {
		data = body.Data
	}
	var res struct{ Status int }
	_ = json.Unmarshal(data, &res)
	status := RunCompleted
	var failure *runError
	if res.Status >= 500 {
		status = RunFailed
	}
	if res.Status != 0 && (res.Status < 200 || res.Status > 299) {
		failure = attemptError(&Result{Output: data, Error: fmt.Sprintf("invalid status code: %d", res.Status)})
	}
	p.finish(r, status, data, failure)
}

// keepOutput retains the end of a sync run for whoever asks for it, and answers
// those who wait already.
func (p *partition) keepOutput(r *run, output, errJSON []byte, status LifecycleKind) {
	if output == nil {
		output = errJSON
	}
	if output == nil {
		output = jsonNull
	}
	e := encoder{b: p.enc.b[:0]}
	e.byte(recordVersion)
	e.bool(status != RunCompleted)
	e.bytes(output)
	p.enc.b = e.b
	p.batch.Put(TableOutput, r.id[:], e.b)
	p.expireLater(TableOutput, r.id[:], outputFor)
	for _, req := range p.outputs[r.id] {
		p.answer(req, &RunOutput{Output: output, Failed: status != RunCompleted}, nil)
	}
	delete(p.outputs, r.id)
}

// output answers with a sync run's end, now or when it comes.
func (p *partition) output(req *request) {
	if r := p.load(req.run); r != nil {
		p.outputs[req.run] = append(p.outputs[req.run], req)
		return
	}
	out, err := p.storedOutput(req.run)
	if err != nil {
		p.answer(req, nil, err)
		return
	}
	p.answer(req, out, nil)
}

func (p *partition) storedOutput(id ulid.ULID) (out *RunOutput, err error) {
	err = ErrRunNotFound
	p.check(p.store.Get(TableOutput, [][]byte{id[:]}, func(_ int, v []byte) {
		if v == nil {
			return
		}
		d := decoder{b: v}
		d.version()
		out = &RunOutput{Failed: d.bool(), Output: d.bytes()}
		err = d.err
	}))
	return out, err
}

// recentRuns remembers the last runs that ended, so that a caller who is late is
// told so. It is in memory only; longer answers are the read model's.
type recentRuns struct {
	ring []ulid.ULID
	next int
	set  map[ulid.ULID]struct{}
}

const maxRecentRuns = 8192

func (e *recentRuns) add(id ulid.ULID) {
	if e.set == nil {
		e.set = make(map[ulid.ULID]struct{})
	}
	if len(e.ring) < maxRecentRuns {
		e.ring = append(e.ring, id)
	} else {
		delete(e.set, e.ring[e.next])
		e.ring[e.next] = id
		e.next = (e.next + 1) % maxRecentRuns
	}
	e.set[id] = struct{}{}
}

// missing is the error for a run that is not active.
func (p *partition) missing(id ulid.ULID) error {
	if _, ok := p.ended.set[id]; ok {
		return ErrRunEnded
	}
	return ErrRunNotFound
}
