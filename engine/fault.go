package engine

import (
	"errors"
	"fmt"
	"runtime/debug"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Faults of the server itself. A partition that panics is at work on something: a run, or
// an event for a function. Its round is not committed; the partition restarts from what
// is stored, and tries again what it had to do. What has made it panic too often is put
// aside as a dead letter, so that it neither ends the process nor holds up others.

// blame names what a partition is at work on; zero if it is nothing in particular.
type blame struct {
	run ulid.ULID // or the key of pending events
	// fn and event are an event on its way into a function.
	fn    ids.UUID
	event ulid.ULID
	// request is that of an API call.
	request *request
}

const (
	// maxFaults is how often something may make the partition panic before it is put
	// aside. The next as many times it is put aside without being looked at.
	maxFaults = 3
	// maxBlamed bounds what is remembered to have made the partition panic.
	maxBlamed = 4096
)

// faults count the panics of a partition by what it was at, since the process started.
type faults struct {
	seen map[blame]*fault
	// total is only of interest to tests and metrics; unknown counts those in a row that
	// can be blamed on nothing.
	total, unknown int
}

type fault struct {
	n      int
	reason string
}

// ErrInternal is the answer to an API call that has made its partition panic.
var ErrInternal = errors.New("internal error; the server's log has the details")

// faultError is a panic of a round.
type faultError struct {
	at    blame
	value any
	stack []byte
}

func (e *faultError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// attempt is apply; a panic is returned as a *faultError.
func (p *partition) attempt(now int64, cmds []command) (b Batch, eff *effects, err error) {
	if !p.set.crash {
		defer func() {
			if v := recover(); v != nil {
				err = &faultError{p.at, v, debug.Stack()}
			}
		}()
	}
	b, eff, err = p.apply(now, cmds)
	p.faults.unknown = 0
	return b, eff, err
}

// note counts a fault, and reports whether going on makes sense.
func (f *faults) note(e *faultError) bool {
	f.total++
	if e.at == (blame{}) {
		f.unknown++
		return f.unknown <= maxFaults
	}
	if e.at.request != nil && e.at.run.IsZero() {
		return true // it is not tried again
	}
	e.at.request = nil
	if f.seen == nil || len(f.seen) >= maxBlamed {
		f.seen = map[blame]*fault{}
	}
	was := f.seen[e.at]
	if was == nil {
		was = &fault{}
		f.seen[e.at] = was
	}
	was.n++
	was.reason = fmt.Sprintf("the server failed %d times at it: %v", maxFaults, e.value)
	return was.n <= 2*maxFaults
}

// condemned reports whether something has made the partition panic too often, and why.
func (p *partition) condemned(at blame) (reason string, yes bool) {
	if len(p.faults.seen) == 0 {
		return "", false
	}
	f := p.faults.seen[at]
	if f == nil || f.n < maxFaults {
		return "", false
	}
	return f.reason, true
}

// blind reports whether even putting a run aside has made the partition panic.
func (p *partition) blind(run ulid.ULID) bool {
	f := p.faults.seen[blame{run: run}]
	return f != nil && f.n > maxFaults
}

// pardon forgets the faults of a run, or of an event on its way into a function.
func (p *partition) pardon(at blame) { delete(p.faults.seen, at) }

// dirtyFlow is a key's state that a round has changed, with what it was at when it did so
// first.
type dirtyFlow struct {
	flow *flow
	by   blame
}

// writable prepares writing a key's state: if that makes the partition panic, what has
// changed the state is to blame, and if nothing has, the key. A state that can be blamed too
// often is not written any more: what it has collected is put aside, counts and locks are
// kept in memory, and made of the runs once more when the partition starts.
func (p *partition) writable(d dirtyFlow) bool {
	f, key := d.flow, blame{run: ulid.ULID(d.flow.id)}
	if p.at = d.by; p.at == (blame{}) {
		p.at = key
	}
	if _, dead := p.condemned(key); !dead {
		return true
	}
	if f.pending != nil {
		p.startPending(f)
		return true
	}
	if f.kind == flowRuns || f.kind == flowSingleton {
		p.batch.Put(TableCursor, recountKey, []byte{recordVersion})
	}
	return false
}

// message takes a message. If that makes the partition panic, the run that it is for is put
// aside, and the message if that does not help. Claims of signals are not kept with their
// runs, and are given back when those are gone: such messages are to blame themselves.
func (p *partition) message(c *command) {
	var dead bool
	m, id := c.message, ids.Derive(0, appendUint64([]byte{byte(c.log)}, c.seq))
	switch m.kind {
	case msgSignalClaim, msgSignalRelease: // a recheck is about its run
		p.at = blame{event: id}
		_, dead = p.condemned(p.at)
	default:
		p.at = blame{run: m.run}
		dead = p.blind(m.run)
	}
	if !dead {
		p.receive(m)
		return
	}
	reason, _ := p.condemned(p.at)
	e := encoder{}
	e.message(m)
	p.bury(&DeadLetter{ID: id, Kind: DeadMessage, Reason: reason, Body: e.b})
}

// buryEvents puts events aside that start no run of a function. sources are their internal
// ids, as far as known, id is the last one's.
func (p *partition) buryEvents(fn ids.UUID, id ulid.ULID, sources []ulid.ULID, events [][]byte, reason string) {
	e := encoder{}
	e.deadEvents(events, sources)
	p.bury(&DeadLetter{ID: id, Kind: DeadEvents, Fn: fn, Reason: reason, Body: e.b})
	for _, source := range sources {
		p.outbox.add(&Lifecycle{Kind: EventSkipped, At: p.now, Run: source, Fn: fn, Name: SkipDead})
	}
}
