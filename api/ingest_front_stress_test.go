package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/engine"

	"github.com/valyala/fasthttp"
)

// flakyLog is a log that takes its time and fails now and then.
type flakyLog struct {
	memLog
	pending chan flakyEntry
	ended   chan struct{}
}

type flakyEntry struct {
	records []byte
	count   int
	done    engine.Logged
}

// loggedChan is an engine.Logged to wait for.
type loggedChan chan error

func (c loggedChan) Logged(err error) { c <- err }

func newFlakyLog() *flakyLog {
	l := &flakyLog{pending: make(chan flakyEntry, 64), ended: make(chan struct{})}
	go l.commit()
	return l
}

func (l *flakyLog) commit() {
	defer close(l.ended)
	for e := range l.pending {
		if rand.IntN(4) == 0 {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		}
		if rand.IntN(10) == 0 {
			e.done.Logged(fmt.Errorf("append: %w", engine.ErrDisk))
			continue
		}
		e.done.Logged(l.memLog.Append(e.records, e.count))
	}
}

func (l *flakyLog) Submit(records []byte, count int, done engine.Logged) error {
	if rand.IntN(10) == 0 {
		return engine.ErrLogFull
	}
	l.pending <- flakyEntry{bytes.Clone(records), count, done}
	return nil
}

func (l *flakyLog) Append(records []byte, count int) error {
	done := make(loggedChan, 1)
	if err := l.Submit(records, count, done); err != nil {
		return err
	}
	return <-done
}

// fate is what a client knows of an event.
type fate int

const (
	unknown fate = iota
	acknowledged
	refused
)

// sent is a request with the events that it must have in the log when it is answered by 200
// or 400, or is not about events.
type sent struct {
	raw    string
	events []string
	other  bool
}

// stressClient sends requests on connections, several at a time and in pieces, and reads the
// answers in order.
type stressClient struct {
	t     *testing.T
	addr  string
	name  string
	n     int
	rng   *rand.Rand
	fates map[string]fate
}

func (c *stressClient) event() string {
	c.n++
	name := fmt.Sprint(c.name, "/", c.n)
	c.fates[name] = unknown
	return name
}

func (c *stressClient) request() (s sent) {
	first := c.event()
	s.events = []string{first}
	body := `{"name":"` + first + `"}`
	line := ingestLine
	var headers []string
	switch c.rng.IntN(12) {
	case 0:
		second := c.event()
		s.events = append(s.events, second)
		body = `[` + body + `,{"name":"` + second + `"}]`
	case 1:
		body = `[` + body + `,{"name":""}]` // accepted up to there
	case 2:
		body = `{"name":"` + first + `","data":{"s":"` + strings.Repeat("x", c.rng.IntN(10<<10)) + `"}}`
	case 3:
		if c.rng.IntN(4) == 0 {
			line, s.other = "GET /health HTTP/1.1", true
		}
	case 4:
		if c.rng.IntN(4) == 0 {
			headers = append(headers, "Origin: http://o")
		}
	case 5:
		if c.rng.IntN(4) == 0 {
			body = `{"name":"` + first + `","data":{"s":"` + strings.Repeat("x", 70<<10) + `"}}`
		}
	}
	s.raw = rawRequest(line, body, headers...)
	return s
}

// connection sends some requests on a connection of its own. It returns false when there is
// no server.
func (c *stressClient) connection() bool {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(conn)
	for range 1 + c.rng.IntN(20) {
		var batch []sent
		var raw string
		for range 1 + c.rng.IntN(5) {
			batch = append(batch, c.request())
			raw += batch[len(batch)-1].raw
		}
		var writer sync.WaitGroup
		cuts := c.rng.IntN(4)
		seed := c.rng.Uint64()
		writer.Go(func() { sendInPieces(conn, raw, cuts, rand.New(rand.NewPCG(seed, 1))) })
		leave := c.rng.IntN(30) == 0
		if leave {
			time.Sleep(time.Duration(c.rng.IntN(1000)) * time.Microsecond)
			_ = conn.Close()
		}
		last := !c.answers(r, batch)
		if last {
			_ = conn.Close()
		}
		writer.Wait()
		if last {
			return true
		}
	}
	return true
}

func sendInPieces(conn net.Conn, raw string, cuts int, rng *rand.Rand) {
	for range cuts {
		n := rng.IntN(len(raw) + 1)
		if _, err := io.WriteString(conn, raw[:n]); err != nil {
			return
		}
		raw = raw[n:]
		time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
	}
	_, _ = io.WriteString(conn, raw)
}

// answers reads the answers to requests. It returns false when the connection has ended.
func (c *stressClient) answers(r *bufio.Reader, batch []sent) bool {
	var res fasthttp.Response
	for _, s := range batch {
		if err := res.Read(r); err != nil {
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
				c.t.Errorf("%s: no answer to %.200q", c.name, s.raw)
			}
			return false
		}
		c.learn(s, &res)
		if res.ConnectionClose() {
			return false
		}
	}
	return true
}

func (c *stressClient) learn(s sent, res *fasthttp.Response) {
	status := res.StatusCode()
	if s.other {
		if status != 200 || strings.Contains(string(res.Body()), "ids") {
			c.t.Errorf("%s: %q for another route", c.name, res.Body())
		}
		return
	}
	var got reply
	if err := json.Unmarshal(res.Body(), &got); err != nil {
		c.t.Errorf("%s: status %d, body %q: %v", c.name, status, res.Body(), err)
		return
	}
	switch status {
	case 200, 400:
		if len(got.IDs) != len(s.events) {
			c.t.Errorf("%s: %d ids for %d events", c.name, len(got.IDs), len(s.events))
		}
		for _, e := range s.events {
			c.fates[e] = acknowledged
		}
	case 503:
		for _, e := range s.events {
			c.fates[e] = refused
		}
	default:
		c.t.Errorf("%s: status %d, body %q", c.name, status, res.Body())
	}
}

// TestFrontLosesNothing has clients that send in every way and leave at any time, a log that
// is slow and fails, and a shutdown in the middle.
func TestFrontLosesNothing(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		log := newFlakyLog()
		s := NewServer(Options{Log: log, Engine: &logEngine{log: &log.memLog}, EventKeys: []string{"key"}})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		var clients []*stressClient
		var running sync.WaitGroup
		for i := range 12 {
			c := &stressClient{
				t: t, addr: ln.Addr().String(), name: fmt.Sprintf("%d-%d", round, i),
				rng: rand.New(rand.NewPCG(uint64(round), uint64(i))), fates: map[string]fate{},
			}
			clients = append(clients, c)
			running.Go(func() {
				for c.connection() {
				}
			})
		}
		time.Sleep(400 * time.Millisecond)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		running.Wait()
		close(log.pending)
		<-log.ended
		checkFates(t, &log.memLog, clients)
	}
}

func checkFates(t *testing.T, log *memLog, clients []*stressClient) {
	t.Helper()
	count := map[string]int{}
	for _, e := range log.events(t) {
		count[string(e.Name)]++
	}
	var n [3]int
	for _, c := range clients {
		for name, f := range c.fates {
			n[f]++
			got := count[name]
			if f == acknowledged && got != 1 || f == refused && got != 0 || got > 1 {
				t.Errorf("event %s with fate %d is in the log %d times", name, f, got)
			}
		}
	}
	if n[acknowledged] == 0 || n[refused] == 0 {
		t.Errorf("the test tests nothing: fates %v", n)
	}
}
