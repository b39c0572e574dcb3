package engine

import (
	"context"
	"errors"
)

// The storage contract: what the engine needs of a backend. It is kept small so
// that an embedded store serves it with one batch, and Redis with one fenced,
// pipelined script call. Package storage has the conformance suite.

// Table is a key space of a partition. Keys are opaque bytes ordered bytewise.
// The engine owns the encoding of keys and values (records.go).
type Table byte

// Values of tables are part of the on-disk format: never renumber.
const (
	// TableRun holds a run's record by run id.
	TableRun Table = 1
	// TableTrigger holds a run's triggering events by run id.
	TableTrigger Table = 2
	// TableStep holds memos by run id and position in the stack.
	TableStep Table = 3
	// TableReady orders runs that have work, by function, score and run id. The value says
	// whether the run had started, and which singleton's lock it holds (locks.go) or of
	// which lane it is a guest (alone.go).
	TableReady Table = 4
	// TableTimer orders what is due later, by time.
	TableTimer Table = 5
	// TablePause holds waits for events and cancellations, to rebuild the index.
	TablePause Table = 6
	// TableDedupe holds idempotency keys.
	TableDedupe Table = 7
	// TableExpiry orders idempotency keys and retained outputs by expiry.
	TableExpiry Table = 8
	// TableCursor holds how far each log has been applied.
	TableCursor Table = 9
	// TableMessage orders messages to other partitions that are not yet delivered.
	TableMessage Table = 10
	// TableHistory orders lifecycle records for the read model (the outbox).
	TableHistory Table = 11
	// TableFunction holds state per function (schedules, flow control).
	TableFunction Table = 12
	// TableSignal holds who waits for a signal.
	TableSignal Table = 13
	// TableOutput holds retained outputs of ended runs, by run id.
	TableOutput Table = 14
	// TableApp holds registered apps; only in the system partition.
	TableApp Table = 15
	// TableInput holds edited step inputs of reruns by run id.
	TableInput Table = 16
	// TableFlow holds the state of flow-control keys by their id.
	TableFlow Table = 17
	// TableBatch holds the events of open batches, by key id and position.
	TableBatch Table = 18
	// TableLane is TableReady for runs of lanes that are not guests: by function, lane,
	// score and run id.
	TableLane Table = 19
	// TableDead holds what can never run, by time and id.
	TableDead Table = 20
	// TableJob holds long operations of operators by their id: in the system partition what
	// was asked for (Catalog.SaveJob), in the others how far a bulk cancellation is.
	TableJob Table = 21
)

// Once reports whether the engine puts a key of the table only while it is not
// there. Then a store may let a put and the deletion that follows it cancel each
// other out, instead of keeping a mark of the deletion.
func (t Table) Once() bool {
	switch t {
	case TableTrigger, TableReady, TableLane, TableTimer, TableMessage, TableBatch, TableHistory:
		return true
	}
	return false
}

// SystemPartition is the partition of state that belongs to no partition: the catalog, and
// what operators have asked for.
const SystemPartition = -1

// ErrClosed is returned by a store or log that has been closed.
var ErrClosed = errors.New("store is closed")

// Batch collects the writes of one commit. It is used by one goroutine and
// consumed by Commit. Keys and values are copied by Put and Delete.
type Batch interface {
	Put(t Table, key, value []byte)
	Delete(t Table, key []byte)
	// Len is the number of writes.
	Len() int
}

// PartitionStore is one partition's storage. It is used by one goroutine, the
// partition's; only Commit's done is called from another one.
type PartitionStore interface {
	NewBatch() Batch
	// Commit applies b atomically. When it returns, reads see the writes. done is
	// called once, when b is durable under the store's sync policy or has failed;
	// commits of a partition complete in order, and done must not block for long.
	// After a failed commit every later one fails too: the partition must be
	// reopened, since its memory is ahead of its disk.
	Commit(b Batch, done func(error))
	// Get calls fn for each key, in order, with its value, or nil if there is none.
	// The value is valid only during the call. Many keys are read faster when they are
	// in order.
	Get(t Table, keys [][]byte, fn func(i int, value []byte)) error
	// Scan calls fn for keys in [from, to) in order, until fn returns false. Unlike the
	// other methods it may be called by any goroutine. A nil from is the table's beginning, a nil to its end. Slices are valid only during the call.
	Scan(t Table, from, to []byte, fn func(key, value []byte) bool) error
}

// Store is a whole backend.
type Store interface {
	// Partitions is the fixed number of partitions of this installation.
	Partitions() int
	// Partition opens partition i, or SystemPartition.
	Partition(i int) (PartitionStore, error)
	// Log is the write-ahead log of accepted events.
	Log() Log
	Close() error
}

// Errors of Log.Append that ask the sender to come back later (HTTP 503).
var (
	// ErrLogFull says that undelivered events have reached the configured bound.
	ErrLogFull = errors.New("the event buffer has reached its limit on disk")
	// ErrDisk says that the disk refused the write (full or failing).
	ErrDisk = errors.New("the event could not be written to disk")
)

// LogGroup is a run of consecutive entries, as one group commit wrote them.
type LogGroup struct {
	// First is the sequence number of the first entry; entries count up by one.
	First uint64
	// Count is the number of entries in Data.
	Count int
	// Data holds the entries' event records, one after another (event.AppendRecord).
	Data []byte
	// Replayed says that the group was written before this process started.
	Replayed bool
}

// Logged is told how a [Log.Submit] ended. All submits of a log share the goroutine that
// calls it, so it must not wait for anything.
type Logged interface{ Logged(err error) }

// Log is the write-ahead log of accepted events. It is safe for concurrent use.
type Log interface {
	// Append writes count event records and returns when they are durable (fsync
	// done), sharing the sync with concurrent calls. records is not kept. Errors
	// wrap ErrLogFull, ErrDisk or ErrClosed; then nothing of the call was accepted.
	Append(records []byte, count int) error
	// Submit is Append for those who have others to look after meanwhile: it returns
	// when the records have their place, and done.Logged is called once with what
	// Append would have returned. If it returns an error itself, done is not called.
	Submit(records []byte, count int, done Logged) error
	// Next returns the first group with First >= from, waiting until there is one
	// or ctx ends. The group's data stays valid until it is trimmed and garbage
	// collected; it must not be changed. from is 0 to begin with the oldest.
	Next(ctx context.Context, from uint64) (LogGroup, error)
	// Trim forgets entries below seq, which have been applied everywhere. It need
	// not be durable at once.
	Trim(seq uint64) error
	// Pending is the size in bytes of what has not been trimmed.
	Pending() int64
}
