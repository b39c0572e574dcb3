package loadgen

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/record"
	"ingot/loadgen/sender"

	"github.com/klauspost/compress/gzip"
)

// events is what the sender sends: it makes requests with events of a load and
// enters what becomes of them. It implements sender.Work.
type events struct {
	load    load
	session int64
	seed    uint64
	batch   int
	ids     bool
	ledger  *ledger.Ledger // nil: nothing runs, events are only counted
	rec     *record.Recorder
	clients []eventClient
	weights []float64 // cumulative, of the parts
	mixed   bool      // of some events it is known that they start a run, of others not

	issued atomic.Int64 // events of this phase
	limit  int64        // of this phase
	number atomic.Int64 // of the next event, without a ledger

	mu     sync.Mutex
	errors map[string]int64
}

// eventClient is what one client of the sender keeps between requests.
type eventClient struct {
	n     int    // events of the request under way
	plain []byte // body before compression
	zip   *gzip.Writer
	out   bytes.Buffer
	_     [64]byte // keeps neighbours off the cache line
}

func newEvents(p Plan, l load, session int64, led *ledger.Ledger, rec *record.Recorder) *events {
	e := &events{load: l, session: session, seed: p.Seed, batch: p.Batch, ids: p.EventID, ledger: led, rec: rec,
		clients: make([]eventClient, p.Clients), errors: map[string]int64{}}
	if p.Gzip {
		for i := range e.clients {
			e.clients[i].zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a valid level
		}
	}
	sum := 0.0
	for _, p := range l.parts {
		sum += p.weight
		e.weights = append(e.weights, sum)
		e.mixed = e.mixed || p.expectation() != ledger.Run && led != nil
	}
	return e
}

// begin starts a phase of at most limit events.
func (e *events) begin(limit int64) {
	e.issued.Store(0)
	e.limit = limit
}

// next is the number that the next event will get.
func (e *events) next() int64 {
	if e.ledger != nil {
		return e.ledger.Next()
	}
	return e.number.Load()
}

// reserve numbers the events of the next request.
func (e *events) reserve(due time.Duration) (first int64, n int) {
	before := e.issued.Add(int64(e.batch)) - int64(e.batch)
	n = int(min(int64(e.batch), e.limit-before))
	if n <= 0 {
		return 0, 0
	}
	if e.ledger == nil {
		return e.number.Add(int64(n)) - int64(n), n
	}
	first, ok := e.ledger.Reserve(n, due)
	if !ok {
		return 0, 0
	}
	return first, n
}

// part chooses the workload of event seq.
func (e *events) part(random uint64) *part {
	parts := e.load.parts
	if len(parts) == 1 {
		return parts[0]
	}
	at := unit(random) * e.weights[len(parts)-1]
	for i, w := range e.weights {
		if at < w {
			return parts[i]
		}
	}
	return parts[len(parts)-1]
}

// template is the event that seq stands for.
func (e *events) template(seq int64) *template {
	if r := e.load.recorded; r != nil {
		return r.events[seq%int64(len(r.events))]
	}
	random := scramble(uint64(seq) ^ e.seed<<40)
	return e.part(random).template(scramble(random))
}

// Append implements sender.Work.
func (e *events) Append(client int, b []byte, due time.Duration) (body []byte, token int64, ok bool) {
	first, n := e.reserve(due)
	if n == 0 {
		return b, 0, false
	}
	c := &e.clients[client]
	c.n = n
	if c.zip == nil {
		b = e.array(b, first, n, due)
	} else {
		c.plain = e.array(c.plain[:0], first, n, due)
		b = c.compress(b)
	}
	e.rec.Add(uint64(client), record.Requests, 1)
	e.rec.Add(uint64(client), record.Events, int64(n))
	return b, first, true
}

// array appends one event, or an array of several.
func (e *events) array(b []byte, first int64, n int, due time.Duration) []byte {
	if e.batch == 1 {
		return e.template(first).append(b, e.session, first, due, e.ids)
	}
	for i := range int64(n) {
		b = append(b, "[,"[min(i, 1)])
		b = e.template(first+i).append(b, e.session, first+i, due, e.ids)
	}
	return append(b, ']')
}

// compress appends the compressed form of c.plain.
func (c *eventClient) compress(b []byte) []byte {
	c.out.Reset()
	c.zip.Reset(&c.out)
	_, _ = c.zip.Write(c.plain) // to memory: cannot fail
	_ = c.zip.Close()
	return append(b, c.out.Bytes()...)
}

// Done implements sender.Work.
func (e *events) Done(client int, o *sender.Outcome) {
	key := uint64(client)
	n := e.clients[client].n
	outcome, counter := ledger.Accepted, record.Accepted
	switch {
	case o.Err != nil:
		outcome, counter = ledger.Unknown, record.Unknown
		e.fail(sender.ErrorKind(o.Err))
	case o.Status < 200 || o.Status > 299:
		outcome, counter = ledger.Refused, record.Refused
		e.fail(sender.StatusKind(o.Status))
	}
	if e.ledger != nil {
		e.ledger.Sent(o.Token, n, outcome)
	}
	e.rec.Add(key, counter, int64(n))
	if outcome == ledger.Accepted {
		e.rec.Add(key, record.Expected, e.expected(o.Token, n))
	}
	if outcome != ledger.Accepted {
		e.rec.Add(key, record.Errors, 1)
	}
	e.rec.Time(key, record.Request, o.Answered-o.Due)
	e.rec.Time(key, record.Service, o.Answered-o.Sent)
	if o.Paced && !o.WaitedForClient {
		e.rec.Time(key, record.Lag, o.Sent-o.Due)
	}
}

// expected is how many runs n events from first are sure to start.
func (e *events) expected(first int64, n int) (runs int64) {
	if !e.mixed {
		if e.ledger == nil {
			return 0
		}
		return int64(n)
	}
	for seq := first; seq < first+int64(n); seq++ {
		if e.template(seq).part.expectation() == ledger.Run {
			runs++
		}
	}
	return runs
}

func (e *events) fail(kind string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errors[kind]++
}

// takeErrors returns the errors so far and forgets them.
func (e *events) takeErrors() map[string]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.errors
	e.errors = map[string]int64{}
	return m
}
