package engine

import (
	"errors"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// What operators do, on a node of the simulator. The answers come once the node has
// worked.

// errOpen says that a request has no answer yet.
var errOpen = errors.New("no answer yet")

func (r *request) result() (any, error) {
	select {
	case a := <-r.done:
		return a.val, a.err
	default:
		return nil, errOpen
	}
}

// SetMode sets a function's mode.
func (n *SimNode) SetMode(fn ids.UUID, m FunctionMode) {
	n.ask(functionPartition(fn, n.e.set.partitions), &request{kind: reqSetMode, fn: fn, mode: m})
}

// SetModeAnswered is SetMode with the answer.
func (n *SimNode) SetModeAnswered(fn ids.UUID, m FunctionMode) func() error {
	req := &request{kind: reqSetMode, fn: fn, mode: m}
	n.ask(functionPartition(fn, n.e.set.partitions), req)
	return func() error { _, err := req.result(); return err }
}

// CancelBulk begins to cancel runs; the returned function tells how many there were.
func (n *SimNode) CancelBulk(b *BulkCancel) func() (int, error) {
	req := &request{kind: reqCancelBulk, bulk: b}
	n.ask(functionPartition(b.Fn, n.e.set.partitions), req)
	return func() (int, error) {
		v, err := req.result()
		if err != nil {
			return 0, err
		}
		return v.(int), nil
	}
}

// Replay starts a replay.
func (n *SimNode) Replay(c *Replay) func() error {
	req := &request{kind: reqReplay, replay: c}
	n.ask(functionPartition(c.Fn, n.e.set.partitions), req)
	return func() error { _, err := req.result(); return err }
}

// DeadLetters asks a partition for its list.
func (n *SimNode) DeadLetters(i int) func() []DeadLetter {
	req := &request{kind: reqListDead, dead: deadRequest{limit: 100}}
	n.ask(i, req)
	return func() []DeadLetter {
		v, err := req.result()
		if err != nil {
			return nil
		}
		return v.([]DeadLetter)
	}
}

// Redrive drives a dead letter again, or discards it.
func (n *SimNode) Redrive(d *DeadLetter, discard bool) func() error {
	req := &request{kind: reqActOnDead, dead: deadRequest{at: d.At, id: d.ID, discard: discard}}
	n.ask(d.Partition, req)
	return func() error { _, err := req.result(); return err }
}

// Loads asks all partitions for their loads.
func (n *SimNode) Loads() func() []FunctionLoad {
	var all []*request
	for i := range n.e.workers {
		all = append(all, &request{kind: reqLoads})
		n.ask(i, all[i])
	}
	return func() (out []FunctionLoad) {
		for _, req := range all {
			if v, err := req.result(); err == nil {
				out = append(out, v.([]FunctionLoad)...)
			}
		}
		return out
	}
}

// BoundDead bounds the list of dead letters of each partition.
func (n *SimNode) BoundDead(most int) { n.e.set.maxDead = most }

// Stats are the engine's counts.
func (n *SimNode) Stats() Stats { return n.e.Stats() }

// Engine is the engine itself, for what needs no goroutine.
func (n *SimNode) Engine() *Engine { return n.e }

// Configure gives the node a catalog's state.
func (n *SimNode) Configure(s *Snapshot) { n.e.configure(s) }

// DecodeDead reads the stored form of a dead letter.
func DecodeDead(partition int, k, v []byte) (*DeadLetter, error) { return decodeDead(partition, k, v) }

// EncodeInvokeDone is the stored form of the message that ends a run's invoke step.
func (n *SimNode) EncodeInvokeDone(run ulid.ULID, step string, memo []byte) []byte {
	e := encoder{}
	e.message(&message{kind: msgInvokeDone, to: runPartition(run, n.e.set.partitions), run: run, step: step, body: memo})
	return e.b
}

// Held is what a run's record says that the run holds: a place in its run limit, or that it
// waits for one once more, and the lock of its singleton.
type Held struct{ Placed, Displaced, Locked bool }

// HeldBy reads it; without a record it is nothing.
func HeldBy(run ulid.ULID, record []byte) (h Held) {
	if r, err := decodeRun(run, record, &keySets{}); err == nil && r.limits != nil {
		h = Held{Placed: r.limits.slot != flowID{}, Displaced: r.limits.displaced, Locked: r.limits.lock != flowID{}}
	}
	return h
}

// DeadKey is the key of a dead letter.
func DeadKey(d *DeadLetter) []byte { return deadKey(nil, d.At, d.ID) }

// EncodeDead is the stored form of a dead letter with another body.
func EncodeDead(d DeadLetter, body []byte) []byte {
	e := encoder{}
	d.Body = body
	e.dead(&d)
	return e.b
}
