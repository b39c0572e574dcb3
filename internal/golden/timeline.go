package golden

import (
	"strings"
	"sync"
	"time"
)

// role is who begins an exchange in the replay.
type role int

const (
	roleSkip   role = iota // markers, and requests of the recorder to the SDK
	roleClient             // requests of clients and SDKs, which the replay sends
	roleCall               // calls of the server, which the replay awaits
)

// roleOf tells an exchange's role. In sdk-traffic the recorder itself made some
// requests to the SDK; they carry none of the server's headers.
func roleOf(e *Exchange) role {
	switch e.Dir {
	case "client->server", "sdk->server":
		return roleClient
	case "server->app":
		return roleCall
	case "server->sdk":
		if e.Request.Headers.Get("X-Run-Id") != "" || e.Request.Headers.Get("X-Inngest-Server-Kind") != "" {
			return roleCall
		}
		// The gateway's requests to an upstream look like any client's.
		if strings.Contains(e.Request.Headers.Get("User-Agent"), "Inngest") || e.Request.Headers.Get("Accept-Encoding") == "gzip" {
			return roleCall
		}
	}
	return roleSkip
}

// moment is the progress of one exchange.
type moment struct {
	*Exchange
	role    role
	arrived chan struct{} // closed when the request is made
	done    chan struct{} // closed when it is answered
	once    [2]sync.Once
}

func (m *moment) arrive() { m.once[0].Do(func() { close(m.arrived) }) }
func (m *moment) finish() { m.arrive(); m.once[1].Do(func() { close(m.done) }) }

// until is when the exchange was answered, in ms since the start.
func (m *moment) until() int64 {
	if m.Until != nil {
		return *m.Until
	}
	return m.At + 5
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// timeline keeps the replay in step with the recording: nothing is sent or answered
// earlier than recorded, nor before what was sent or answered earlier then. A call
// that comes late moves everything after it.
type timeline struct {
	moments []*moment
	// patience is how long after its recorded time a call may come.
	patience time.Duration

	mu    sync.Mutex
	start time.Time
	slip  time.Duration
	// began is slip when the second request (the first event) was sent, sent their number.
	began time.Duration
	sent  int
}

func newTimeline(exchanges []Exchange, patience time.Duration) *timeline {
	t := &timeline{patience: patience}
	for i := range exchanges {
		m := &moment{Exchange: &exchanges[i], arrived: make(chan struct{}), done: make(chan struct{})}
		m.role = roleOf(m.Exchange)
		if m.role == roleSkip {
			m.finish()
		}
		t.moments = append(t.moments, m)
	}
	return t
}

func (t *timeline) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start = time.Now()
}

// when maps recorded ms to the replay's clock.
func (t *timeline) when(ms int64) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start.Add(t.slip + time.Duration(ms)*time.Millisecond)
}

// ahead is how much earlier than recorded it is now, whatever was late since the
// first event: a timer that was set before does not move.
func (t *timeline) ahead(ms int64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.start.Add(t.began + time.Duration(ms)*time.Millisecond))
}

// late notes that what was recorded at ms happens only now.
func (t *timeline) late(ms int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := time.Since(t.start) - time.Duration(ms)*time.Millisecond; d > t.slip {
		t.slip = d
	}
}

// sleepUntil waits for a recorded time, which may move meanwhile.
func (t *timeline) sleepUntil(ms int64) {
	for {
		d := time.Until(t.when(ms))
		if d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

// await waits for a recorded moment that should be past at ms, but not beyond the
// patience after it.
func (t *timeline) await(c chan struct{}, ms int64) bool {
	for {
		left := time.Until(t.when(ms).Add(t.patience))
		if left <= 0 {
			return isClosed(c)
		}
		timer := time.NewTimer(left)
		select {
		case <-c:
			timer.Stop()
			return true
		case <-timer.C:
		}
	}
}

// beforeRequest waits until a client's request is due: its time has come, what
// arrived before it has arrived, what was answered before it is answered.
func (t *timeline) beforeRequest(m *moment) {
	t.sleepUntil(m.At)
	for _, o := range t.moments {
		if o.Seq >= m.Seq {
			break
		}
		t.await(o.arrived, o.At)
		if o.until() <= m.At {
			t.await(o.done, o.until())
		}
	}
	t.sleepUntil(m.At) // what was late has moved it
	t.late(m.At)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent++; t.sent == 2 {
		t.began = t.slip
	}
}

// answerGap keeps two answers apart that the recording has in an order.
const answerGap = 12 * time.Millisecond

// beforeAnswer waits until a call may be answered: its time has come, and all that
// the app said before is said. An answer that is not recorded (a dropped
// connection) is due at once.
func (t *timeline) beforeAnswer(m *moment) {
	t.sleepUntil(m.until())
	waited := false
	for _, o := range t.moments {
		earlier := o.until() < m.until() || o.until() == m.until() && o.Seq < m.Seq
		if o.role == roleClient {
			// The app's own requests during the call.
			earlier = o.Seq > m.Seq && o.At < m.until() && o.until() <= m.until()
		}
		if o == m || !earlier {
			continue
		}
		// Calls that have not come at all are not waited for: the comparison tells of them.
		if o.role == roleClient || isClosed(o.arrived) {
			waited = waited || !isClosed(o.done) || m.until()-o.until() < 5 && o.role == roleCall
			t.await(o.done, o.until())
		}
	}
	if waited {
		time.Sleep(answerGap)
	}
}
