package engine

import (
	"github.com/oklog/ulid/v2"
)

// messageKind says what one partition tells another. Values are stored.
type messageKind uint8

const (
	// msgUnreadable stands in memory for an entry that cannot be read: body is the entry.
	msgUnreadable messageKind = 0
	// msgEvent publishes an internal event; body is its record. The router finds
	// who it concerns, as for users' events.
	msgEvent messageKind = 1
	// msgInvokeDone completes an invoke step: run, step, body = memo.
	msgInvokeDone messageKind = 2
	// msgSignalClaim asks the owner of a signal for it: run, job, step = signal.
	msgSignalClaim messageKind = 3
	// msgSignalRefused answers a claim that another run holds: run, job.
	msgSignalRefused messageKind = 4
	// msgSignalDeliver resumes a waiting run: run, job, step = signal, body = memo.
	msgSignalDeliver messageKind = 5
	// msgSignalRelease gives a claim back: run, job, step = signal. Without a job it gives
	// back all that the run has here.
	msgSignalRelease messageKind = 6
	// msgSignalRecheck asks a run's partition whether it waits for a signal: run, job,
	// step = signal. It claims the signal, or gives it back.
	msgSignalRecheck messageKind = 7
)

// message is one entry of a partition's outgoing log. It is written with the
// commit that caused it and kept until every partition that it concerns has
// committed its effect, so it takes effect exactly once.
type message struct {
	kind messageKind
	// flag is "replace" of a claim.
	flag bool
	to   int // target partition; -1 for msgEvent
	run  ulid.ULID
	job  uint32
	step string
	body []byte
}

func (e *encoder) message(m *message) {
	e.byte(recordVersion)
	e.byte(byte(m.kind))
	e.bool(m.flag)
	e.int(int64(m.to))
	e.id(m.run)
	e.uint(uint64(m.job))
	e.str(m.step)
	e.bytes(m.body)
}

// decodeMessage reads a message to one of so many partitions.
func decodeMessage(b []byte, partitions int) (message, error) {
	d := decoder{b: b}
	d.version()
	m := message{kind: messageKind(d.byte()), flag: d.bool(), to: int(d.int()), run: d.id(), job: uint32(d.uint())}
	m.step, m.body = d.str(), d.bytes()
	switch {
	case m.kind == msgEvent && m.to == -1:
	case m.kind <= msgEvent || m.kind > msgSignalRecheck || m.to < 0 || m.to >= partitions || len(d.b) > 0:
		d.fail()
	}
	return m, d.err
}

// sentMessage is a message with its place in the sender's log.
type sentMessage struct {
	seq uint64
	message
}
