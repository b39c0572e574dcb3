package engine

import "log/slog"

// OutboxRig is a partition of which only the outbox is used.
type OutboxRig struct{ p *partition }

// NewOutboxRig recovers the outbox of a store.
func NewOutboxRig(ps PartitionStore, epoch uint64) (*OutboxRig, error) {
	set := &settings{partitions: 1, history: true, outboxBytes: &(&feed{}).bytes}
	r := &OutboxRig{p: newPartition(0, epoch, set, ps, newWaitNames(1), slog.New(slog.DiscardHandler))}
	r.p.recoverOutbox(epoch)
	return r, r.p.err
}

// Next is the number of the next value.
func (r *OutboxRig) Next() uint64 { return r.p.outbox.next }

// Put adds records to a batch.
func (r *OutboxRig) Put(b Batch, records ...Lifecycle) {
	for i := range records {
		r.p.outbox.add(&records[i])
	}
	r.p.outbox.flush(b)
}

// Release adds the deletion of values below seq to a batch.
func (r *OutboxRig) Release(b Batch, seq uint64) {
	r.p.outbox.release(b, seq)
	r.p.outbox.flush(b)
}

// Left is what has not been released: values and bytes.
func (r *OutboxRig) Left() (int, int64) { return len(r.p.outbox.stored), r.p.outbox.bytes }
