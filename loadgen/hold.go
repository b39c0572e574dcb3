package loadgen

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"ingot/loadgen/app"
	"ingot/loadgen/proc"
	"ingot/loadgen/sender"
)

const (
	holdClients = 8
	holdBatch   = 100
	// holdBound is for one kind of background in all, holdStall for no progress.
	holdBound = 30 * time.Minute
	holdStall = time.Minute
	// A server is at rest if it has used less than restShare of a processor for restWindow;
	// restBound is for how long that is waited for.
	restShare  = 0.15
	restWindow = time.Second
	restBound  = 2 * time.Minute
)

// heldKind is one kind of runs in the background.
type heldKind struct {
	name  string
	kind  app.Kind
	n     int
	calls int64 // after which it is in place
}

func (h Hold) kinds() []heldKind {
	return []heldKind{
		{"sleeping", app.HeldSleep, h.Sleeping, int64(h.Sleeping)},
		{"waiting", app.HeldWait, h.Waiting, int64(h.Waiting)},
		{"queued", app.HeldOpen, h.Queued, int64(min(h.Queued, 1))},
	}
}

func (h Hold) empty() bool { return h == Hold{} }

// functions are those of the app that holds the background.
func (h Hold) functions() (fns []app.Function) {
	for _, k := range h.kinds() {
		f := app.Function{ID: k.name, Event: "lg/held-" + k.name, Behaviour: app.Behaviour{Kind: k.kind, WaitEvent: resumeEvent}}
		if k.kind == app.HeldOpen {
			f.Flow.Limit = 1
		}
		fns = append(fns, f)
	}
	for i := range h.Functions {
		fns = append(fns, app.Function{ID: "other-" + strconv.Itoa(i), Event: "lg/never-" + strconv.Itoa(i)})
	}
	return fns
}

// hold puts the background in place.
func (s *session) hold(ctx context.Context) error {
	if s.plan.Hold.empty() {
		return nil
	}
	o := s.appOptions()
	o.Name = appName + "-held"
	var err error
	if s.held, err = app.Start(o, s.plan.Hold.functions()); err != nil {
		return err
	}
	begin := s.clock.Now()
	if err := s.held.Register(ctx); err != nil {
		return err
	}
	for _, k := range s.plan.Hold.kinds() {
		if k.n == 0 {
			continue
		}
		s.progress("putting %d %s runs in place", k.n, k.name)
		if err := s.holdRuns(ctx, k); err != nil {
			return fmt.Errorf("holding %d %s runs: %w", k.n, k.name, err)
		}
	}
	s.heldTook = s.clock.Now() - begin
	s.settle(ctx)
	s.heldRSS = s.serverSample().RSS
	return nil
}

// settle waits until the server, if it can be measured, is at rest. What it still does for the
// background, such as recording or compacting what is held, would else count as the cost of
// what is measured.
func (s *session) settle(ctx context.Context) {
	if s.serverSample().CPU == proc.Unknown {
		return
	}
	s.progress("waiting until the server is at rest")
	for begin := time.Now(); time.Since(begin) < restBound; {
		before, since := s.serverSample().CPU, time.Now()
		select {
		case <-time.After(restWindow):
		case <-ctx.Done():
			return
		}
		if used := s.serverSample().CPU - before; used.Seconds() < restShare*time.Since(since).Seconds() {
			return
		}
	}
	s.progress("the server is not at rest after %s; it is measured all the same", restBound)
}

func (s *session) holdRuns(ctx context.Context, k heldKind) error {
	work := &heldEvents{name: "lg/held-" + k.name, session: s.id, limit: int64(k.n)}
	snd := sender.New(sender.Options{Endpoint: s.endpoint, Clients: holdClients, Timeout: s.plan.Timeout, Clock: s.clock})
	defer snd.Close()
	snd.Run(ctx, sender.Load{Work: work, Duration: holdBound})
	if n := work.failed.Load(); n > 0 {
		return fmt.Errorf("%d requests were not acknowledged", n)
	}
	last, since := int64(-1), time.Now()
	for ctx.Err() == nil && s.held.Held(k.kind) < k.calls {
		if n := s.held.Held(k.kind); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > holdStall {
			return fmt.Errorf("only %d of %d were called for, and nothing more for %s", n, k.calls, holdStall)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// heldEvents are the events that start a background. It implements sender.Work.
type heldEvents struct {
	name    string
	session int64
	limit   int64
	next    atomic.Int64
	failed  atomic.Int64
}

// Append implements sender.Work.
func (h *heldEvents) Append(_ int, b []byte, _ time.Duration) ([]byte, int64, bool) {
	first := h.next.Add(holdBatch) - holdBatch
	if first >= h.limit {
		return b, 0, false
	}
	for i := first; i < min(h.limit, first+holdBatch); i++ {
		b = append(b, "[,"[min(i-first, 1)])
		b = append(b, `{"name":"`...)
		b = append(b, h.name...)
		b = append(b, `","data":{"key":"held-`...)
		b = appendKey(b, h.session, i)
		b = append(b, `"}}`...)
	}
	return append(b, ']'), first, true
}

// Done implements sender.Work.
func (h *heldEvents) Done(_ int, o *sender.Outcome) {
	if o.Err != nil || o.Status/100 != 2 {
		h.failed.Add(1)
	}
}
