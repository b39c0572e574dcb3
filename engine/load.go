package engine

import (
	"context"

	"ingot/internal/ids"
)

// FunctionLoad is what a function has to do and what holds it up, as of one round.
type FunctionLoad struct {
	Fn   ids.UUID
	Mode FunctionMode
	// Backlog counts runs that are ready or being called, Calls those calls.
	Backlog int64
	Calls   int
	// AtLimit says that the function's own concurrency limit, without a key, is reached.
	AtLimit bool
	// Throttled, Limited and Full count the lines of runs, one for each combination of its
	// keys' values, that wait for a throttle, for a concurrency limit with a key or of wider
	// scope, and for a limit of runs. Those that memory has no room for are not counted.
	Throttled, Limited, Full int
	// Debounces and Batches count the keys whose events wait for their run.
	Debounces, Batches int
}

// Loads describes the functions that have something to do or are paused or drained. It
// costs what the number of functions does, not of runs.
func (e *Engine) Loads(ctx context.Context) ([]FunctionLoad, error) {
	var all []FunctionLoad
	for i := range e.workers {
		v, err := e.ask(ctx, i, &request{kind: reqLoads})
		if err != nil {
			return nil, err
		}
		all = append(all, v.([]FunctionLoad)...)
	}
	return all, nil
}

func (p *partition) loads() (all []FunctionLoad) {
	for _, q := range p.order {
		l := FunctionLoad{
			Fn: q.id, Mode: q.mode(), Backlog: q.backlog.Load(), Calls: q.inFlight,
			Throttled: q.held[flowThrottle], Limited: q.held[flowConcurrency], Full: q.held[flowRuns],
			Debounces: q.held[flowDebounce], Batches: q.held[flowBatch],
		}
		l.AtLimit = q.limit > 0 && q.inFlight >= q.limit && l.Backlog > int64(q.inFlight)
		if l != (FunctionLoad{Fn: q.id}) {
			all = append(all, l)
		}
	}
	return all
}

// recoverHeld counts a stored state of a key if it has pending events.
func (p *partition) recoverHeld(v []byte) {
	d := decoder{b: v}
	d.version()
	kind := flowKind(d.byte())
	if fn := d.id(); d.err == nil && (kind == flowDebounce || kind == flowBatch) {
		p.queue(fn).held[kind]++
	}
}

func b2n(b bool) int { return int(b2u(b)) }
