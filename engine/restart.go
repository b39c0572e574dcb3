package engine

import "errors"

// restart begins anew from what is stored, after a round that was not committed and
// cannot be: memory is ahead of the store. Calls under way are made again; their answers
// no longer count. It returns the commands that have to come before those of the round.
func (p *partition) restart(cmds []command) ([]command, error) {
	old := p.memory
	p.names.forget(p.id)
	for _, q := range old.order {
		p.count(q, -q.counted)
	}
	old.outbox.grow(-old.outbox.bytes)
	p.memory = newMemory(old.lender.epoch+1, p.set)
	p.limits, p.now = old.limits, old.now
	p.outbox.enabled = p.set.history
	if _, err := p.recover(); err != nil {
		return nil, err // what has not been delivered is with the router already
	}
	again := []command{{kind: cmdSnapshot, snapshot: old.snapshot}}
	for _, req := range old.waiting(cmds) {
		again = append(again, command{kind: cmdRequest, request: req})
	}
	return again, nil
}

// waiting are the requests of former rounds that have not been answered.
func (m *memory) waiting(cmds []command) (out []*request) {
	seen := map[*request]bool{}
	for i := range cmds {
		seen[cmds[i].request] = true
	}
	add := func(req *request) {
		if !seen[req] {
			seen[req] = true
			out = append(out, req)
		}
	}
	for _, b := range m.bulks {
		add(b.req)
	}
	for _, all := range m.outputs {
		for _, req := range all {
			add(req)
		}
	}
	for _, r := range m.out.replies {
		add(r.req)
	}
	return out
}

// try runs a round; after a panic it restarts the partition and tries again, until what
// is to blame has been put aside. Then the round is as any other.
func (w *worker) try(cmds []command) (Batch, *effects, error) {
	for {
		batch, eff, err := w.p.attempt(w.e.now(), cmds)
		var f *faultError
		if !errors.As(err, &f) {
			return batch, eff, err
		}
		w.p.log.Error("a partition has panicked and restarts", "partition", w.p.id, "panic", f.value,
			"run", f.at.run, "function", f.at.fn, "event", f.at.event, "stack", string(f.stack))
		if !w.p.faults.note(f) {
			return nil, nil, err
		}
		again, err := w.p.restart(cmds)
		if err != nil {
			return nil, nil, err
		}
		for i := range cmds {
			switch c := &cmds[i]; {
			case c.kind == cmdRequest && c.request == f.at.request:
				c.request.done <- answer{err: ErrInternal}
			case c.kind != cmdSnapshot || c.snapshot != again[0].snapshot:
				again = append(again, *c)
			}
		}
		cmds = again
	}
}
