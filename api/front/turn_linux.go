package front

import (
	"bytes"
	"time"
)

const (
	// turnBytes is the size of records from which on a turn goes to the log before all of
	// its events are served.
	turnBytes = 256 << 10
	// keptTurn bounds the memory of a turn that is used again.
	keptTurn = 1 << 20
	// idleTurns bounds how many turns a loop keeps for use again: one is filled, and as many
	// are on their way to the disk as groups of the log are.
	idleTurns = 4
)

// turn is a batch with those who wait for it. Its loop fills it; it then belongs to the
// log until Logged.
type turn struct {
	Batch
	loop    *loop
	answers []answer
}

// answer is a response and who waits for it.
type answer struct {
	conn   *conn
	end    int  // of the response in Responses
	logged bool // whether it has records
}

// submit sends the turn to the log. After it, connections with a request belong to
// the turn.
func (l *loop) submit() {
	t := l.turn
	if len(t.answers) == 0 {
		return
	}
	l.turn = l.idleTurn()
	if t.Count == 0 {
		t.Logged(nil)
		return
	}
	if err := l.front.opts.Log.Submit(t.Records, t.Count, t); err != nil {
		t.Logged(err)
	}
}

// Logged implements engine.Logged: it sends the responses.
func (t *turn) Logged(err error) {
	var refusal []byte
	if err != nil {
		refusal = t.loop.handler.AppendRefusal(nil, err)
	}
	start, now := 0, time.Now()
	for i, a := range t.answers {
		response := t.Responses[start:a.end]
		start = a.end
		if err != nil && a.logged {
			response = refusal
		}
		t.answers[i].conn = nil
		t.loop.respond(a.conn, response, now)
	}
	t.answers, t.Records, t.Count, t.Responses = t.answers[:0], t.Records[:0], 0, t.Responses[:0]
	t.loop.keep(t)
}

// idleTurn returns an empty turn.
func (l *loop) idleTurn() *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return &turn{loop: l}
	}
	t := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return t
}

// keep takes an empty turn back.
func (l *loop) keep(t *turn) {
	if cap(t.Records)+cap(t.Responses) > keptTurn {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) < idleTurns {
		l.idle = append(l.idle, t)
	}
}

// respond sends a response and gives the connection back to the loop.
func (l *loop) respond(c *conn, response []byte, now time.Time) {
	if l.front.draining.Load() {
		response, c.last = lastResponse(response), true
	}
	c.write(response)
	c.since = now
	left := c.over() || c.unread || len(c.in) > 0
	if !c.state.CompareAndSwap(answering, waiting) {
		c.state.Store(waiting)
		left = true
	}
	// From here on c is the loop's. A loop that drains has not seen that it waits again.
	if left || l.front.draining.Load() {
		l.push(c)
	}
}

// lastResponse is a response that tells the client that the connection ends.
func lastResponse(response []byte) []byte {
	head, body, _ := bytes.Cut(response, []byte("\r\n\r\n"))
	last := append(make([]byte, 0, len(response)+32), head...)
	return append(append(last, "\r\nConnection: close\r\n\r\n"...), body...)
}
