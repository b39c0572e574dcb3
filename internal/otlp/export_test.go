package otlp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/internal/trace"

	"github.com/oklog/ulid/v2"
)

// perRun counts what requests have of each run, by trace id.
func perRun(requests []request) map[string]int {
	n := map[string]int{}
	for _, r := range requests {
		for i := range r.spans {
			n[r.spans[i].TraceID]++
		}
	}
	return n
}

func TestEveryRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const runs = 1000
		c := newCollector(t, status(http.StatusOK))
		defer c.Close()
		e, _ := open(t, c, &past{absent: map[ulid.ULID]bool{runID(7): true}}, Config{Headers: map[string]string{"api-key": "k"}})
		var records []*engine.Lifecycle
		for i := range runs {
			records = append(records, &engine.Lifecycle{Kind: engine.RunStarted, Run: runID(i)},
				&engine.Lifecycle{Kind: engine.RunCompleted + engine.LifecycleKind(i%3), Run: runID(i)})
		}
		e.Observe(records)
		time.Sleep(10 * time.Second)
		requests := c.got()
		n := perRun(requests)
		if len(n) != runs-1 {
			t.Errorf("%d traces of %d runs, one of which is gone", len(n), runs)
		}
		for id, spans := range n {
			if spans != spansPerRun {
				t.Errorf("%d spans of trace %s, want %d", spans, id, spansPerRun)
			}
		}
		for _, r := range requests {
			if len(r.spans) == 0 || len(r.spans) > batchSpans {
				t.Errorf("a batch of %d spans", len(r.spans))
			}
			h := r.header
			if r.path != "/v1/traces" || h.Get("Content-Type") != "application/json" || h.Get("Content-Encoding") != "gzip" || h.Get("api-key") != "k" {
				t.Errorf("request to %s with %v", r.path, h)
			}
			if !strings.Contains(string(r.body), `"service.name","value":{"stringValue":"ingot"}`) || strings.Contains(string(r.body), "secret") {
				t.Errorf("body %s", r.body)
			}
		}
		e.Close(t.Context())
		want := Stats{Sent: (runs - 1) * spansPerRun, Batches: uint64(len(requests))}
		if s := e.Stats(); s != want {
			t.Errorf("stats %+v, want %+v", s, want)
		}
	})
}

// TestRetries lets a collector fail in every way from which one recovers.
func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t, status(503), status(502), status(504), hang, status(429, "Retry-After", "90"), status(200))
		defer c.Close()
		e, l := open(t, c, &past{}, Config{})
		begun := time.Now()
		e.Ended(runID(1))
		for e.Stats().Sent == 0 {
			time.Sleep(time.Second)
		}
		took := time.Since(begun)
		if requests := c.got(); len(requests) != 6 || len(requests[5].spans) != spansPerRun {
			t.Errorf("%d requests", len(requests))
		}
		// The pauses of the four failures, the client's time limit, and what the collector asked for.
		if least := DefaultTimeout + 90*time.Second; took < least || took > least+20*time.Second {
			t.Errorf("it took %s", took)
		}
		if n := l.lines("does not take traces"); n != 1 {
			t.Errorf("%d lines in the first minute", n)
		}
		e.Close(t.Context())
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   Stats
		line   string
	}{
		"bad request": {status(400), Stats{Dropped: 3}, "it answered 400"},
		"redirect":    {status(307, "Location", "http://127.0.0.1:4318/elsewhere"), Stats{Dropped: 3}, "it answered 307"},
		"in part": {
			text(`{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too\nlong"}}`), Stats{Sent: 2, Rejected: 1, Batches: 1}, "too long",
		},
		"in part, as a number": {text(`{"partialSuccess":{"rejectedSpans":9}}`), Stats{Rejected: 3, Batches: 1}, "refused spans"},
		"no JSON":              {text("OK"), Stats{Sent: 3, Batches: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCollector(t, test.answer)
				defer c.Close()
				e, l := open(t, c, &past{}, Config{Plain: true})
				e.Ended(runID(1))
				time.Sleep(time.Minute)
				e.Close(t.Context())
				if s := e.Stats(); s != test.want {
					t.Errorf("stats %+v, want %+v", s, test.want)
				}
				if n := len(c.got()); n != 1 {
					t.Errorf("%d requests", n)
				}
				if l.lines(test.line) == 0 && test.line != "" {
					t.Errorf("log: %s", l.text.String())
				}
			})
		})
	}
}

// TestCollectorAway checks that what waits is bounded, that the newest is kept, that one
// line a minute says so, and that the rest is sent when the collector is back.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		away := true
		c := newCollector(t, func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if away {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		defer c.Close()
		p := &past{}
		e, l := open(t, c, p, Config{})
		const runs = 2 * testRuns
		for i := range runs {
			e.Ended(runID(i))
		}
		time.Sleep(10*time.Minute - time.Second)
		s := e.Stats()
		lost := int(s.RunsDropped)
		if lost > runs-testRuns || lost < runs-testRuns-testSpans || s.Runs > testRuns || s.Spans > testSpans || s.Dropped+s.Sent != 0 {
			t.Errorf("stats %+v", s)
		}
		if read := p.reads * loadRuns; read > testSpans {
			t.Errorf("%d runs were read for nothing", read)
		}
		// The first line may come before the end of the loss; then another one follows.
		if n := l.lines("are dropped"); n < 1 || n > 2 {
			t.Errorf("%d lines about one loss", n)
		}
		if n := l.lines("does not take traces"); n < 5 || n > 10 {
			t.Errorf("%d lines in ten minutes", n)
		}
		mu.Lock()
		away = false
		mu.Unlock()
		before := len(c.got())
		time.Sleep(5 * time.Minute)
		sent := perRun(c.got()[before:])
		last, _ := ids.RunTrace(runID(runs - 1))
		if len(sent) != runs-lost || sent[hexOf(last)] != spansPerRun {
			t.Errorf("%d runs came later, of %d; the last with %d spans", len(sent), runs-lost, sent[hexOf(last)])
		}
		e.Close(t.Context())
	})
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t, status(429, "Retry-After", "86400"))
		defer c.Close()
		e, _ := open(t, c, &past{}, Config{})
		e.Ended(runID(1))
		time.Sleep(giveUp + 10*time.Second)
		if s := e.Stats(); s.Dropped != spansPerRun || len(c.got()) != int(giveUp/retryAfterMax)+1 {
			t.Errorf("stats %+v after %d requests", s, len(c.got()))
		}
		e.Close(t.Context())
	})
}

func TestCloseFlushes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const runs = testRuns // which have more spans than fit into the queue
		c := newCollector(t, status(503), status(200))
		defer c.Close()
		e, _ := open(t, c, &past{}, Config{})
		e.Ended(runID(runs))
		synctest.Wait()
		time.Sleep(batchEvery) // it is refused, and waits for its next try
		for i := range runs {
			e.Ended(runID(i))
		}
		e.Close(t.Context())
		if n := perRun(c.got()[1:]); len(n) != runs+1 {
			t.Errorf("%d runs", len(n))
		}
		tr := oneCall(runID(1))
		e.Export(&tr.Run, trace.Tree(&tr, trace.Env{}))
		e.Ended(runID(1))
		e.Close(t.Context())
		if s := e.Stats(); s.Dropped != spansPerRun || s.RunsDropped != 1 || s.Runs+s.Spans != 0 {
			t.Errorf("stats %+v of a closed exporter", s)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	short := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Second)
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		errs   []error
		limit  func(context.Context) (context.Context, context.CancelFunc)
		most   time.Duration
	}{
		"collector hangs":           {hang, nil, context.WithCancel, closeWait},
		"collector is away":         {status(503), nil, context.WithCancel, closeWait},
		"collector hangs, less":     {hang, nil, short, time.Second},
		"history is away":           {status(200), []error{errors.New("away")}, context.WithCancel, closeWait},
		"collector wants more time": {status(429, "Retry-After", "3600"), nil, context.WithCancel, closeWait},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCollector(t, test.answer)
				defer c.Close()
				e, l := open(t, c, &past{errs: test.errs}, Config{})
				const runs = testRuns
				for i := range runs {
					e.Ended(runID(i))
				}
				time.Sleep(3 * time.Second)
				ctx, cancel := test.limit(t.Context())
				defer cancel()
				begun := time.Now()
				e.Close(ctx)
				if took := time.Since(begun); took > test.most {
					t.Errorf("it took %s", took)
				}
				s := e.Stats()
				if s.Runs+s.Spans != 0 || s.Sent != 0 || s.RunsDropped*spansPerRun+s.Dropped != runs*spansPerRun {
					t.Errorf("stats %+v", s)
				}
				if l.lines("before the end") != 1 {
					t.Error("nothing says what is missing")
				}
			})
		})
	}
}

func TestHistoryAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		c := newCollector(t, status(200))
		defer c.Close()
		errs := slices.Repeat([]error{away}, 3)
		errs = append(errs, nil)                                        // the first run is read
		errs = append(errs, slices.Repeat([]error{away}, loadTries)...) // the second never
		e, l := open(t, c, &past{errs: append(errs, nil)}, Config{})    // the third is
		for i := range 3 {
			e.Ended(runID(i))
			time.Sleep(2 * time.Minute)
		}
		if s := e.Stats(); s.Sent != 2*spansPerRun || s.RunsDropped != 1 {
			t.Errorf("stats %+v", s)
		}
		if l.lines("cannot be read") != 2 || l.lines("are dropped") != 1 {
			t.Errorf("log: %s", l.text.String())
		}
		e.Close(t.Context())
	})
}

// TestManyCallers checks with the race detector that callers do not disturb each other,
// and that everything is accounted for.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t, status(200))
		defer c.Close()
		e, _ := open(t, c, &past{}, Config{})
		const callers, each = 8, 120
		var wg sync.WaitGroup
		for n := range callers {
			wg.Go(func() {
				for i := range each {
					id := runID(n*each + i)
					if n%2 == 0 {
						e.Ended(id)
						continue
					}
					tr := oneCall(id)
					e.Export(&tr.Run, trace.Tree(&tr, trace.Env{}))
					_ = e.Stats()
				}
				if n == callers-1 {
					e.Close(t.Context())
				}
			})
		}
		wg.Wait()
		e.Close(t.Context())
		s := e.Stats()
		if all := s.Sent + s.Dropped + s.RunsDropped*spansPerRun; all != callers*each*spansPerRun {
			t.Errorf("%d spans are accounted for, of %d: %+v", all, callers*each*spansPerRun, s)
		}
		for id, n := range perRun(c.got()) {
			if n > spansPerRun {
				t.Errorf("%d spans of %s", n, id)
			}
		}
	})
}
