package loadgen_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/loadgen"
	"ingot/loadgen/result"
)

// quick is a plan against a server that does nothing wrong by itself.
func quick() loadgen.Plan {
	p := loadgen.DefaultPlan()
	p.Count, p.Clients, p.WarmUp, p.Drain = 300, 4, 0, 30*time.Second
	return p
}

func TestNothingIsLostByAnHonestServer(t *testing.T) {
	t.Parallel()
	r, err := loadgen.Run(t.Context(), quick(), new(fakeServer).open(t))
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, 300, false)
	if len(r.Latency[result.Complete].Histogram.Distribution()) == 0 || r.Throughput.Runs <= 0 {
		t.Errorf("throughput %+v", r.Throughput)
	}
}

// TestLossIsFound needs a short drain: the lost runs never end.
func TestLossIsFound(t *testing.T) {
	t.Parallel()
	p := quick()
	p.Drain = 2 * time.Second
	r, err := loadgen.Run(t.Context(), p, (&fakeServer{loseEvery: 10}).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; c.Lost != 30 || c.Started != 270 || c.Completed != 270 || c.Accepted != 300 || c.DoubledRuns+c.DoubledSteps != 0 {
		t.Errorf("counts %+v", c)
	}
	if !strings.Contains(strings.Join(r.Warnings, "\n"), "30 accepted events are lost") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestDoublesAreFound(t *testing.T) {
	t.Parallel()
	r, err := loadgen.Run(t.Context(), quick(), (&fakeServer{doubleEvery: 10}).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; c.DoubledRuns != 30 || c.Lost != 0 || c.DoubledSteps != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestRepeatedStepsAreFound(t *testing.T) {
	t.Parallel()
	r, err := loadgen.Run(t.Context(), quick(), (&fakeServer{repeatEvery: 10}).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; c.DoubledSteps != 30 || c.DoubledRuns != 0 || c.Lost != 0 || c.Steps != 900 {
		t.Errorf("counts %+v", c)
	}
}

func TestLateRunsAreFound(t *testing.T) {
	t.Parallel()
	p := quick()
	p.Count, p.Late, p.Shape.Think = 20, time.Millisecond, 2*time.Millisecond
	r, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Counts.Late != 20 {
		t.Errorf("counts %+v", r.Counts)
	}
}

// TestOmissionIsCorrected stalls the server for a second. With two clients only two
// requests are under way meanwhile, so the service time shows the stall twice; the
// request latency shows it for everything that was due.
func TestOmissionIsCorrected(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	var once sync.Once
	var until time.Time
	f := &fakeServer{stall: func(n int64) {
		if n < 100 {
			return
		}
		once.Do(func() { until = time.Now().Add(stall) })
		time.Sleep(time.Until(until))
	}}
	p := quick()
	p.Workload, p.Clients, p.Count = "ingest", 2, 0
	p.Rate, p.Duration = 200, 3*time.Second
	r, err := loadgen.Run(t.Context(), p, f.open(t))
	if err != nil {
		t.Fatal(err)
	}
	request, service := r.Latency[result.Request], r.Latency[result.Service]
	if c := r.Counts; c.Events != 600 || c.Unsent != 0 {
		t.Errorf("counts %+v", c)
	}
	// Of 600 requests about 200 were due within the stall: their waits are even from 0 to 1 s.
	if p90 := request.Quantile(90); p90 < 500_000 {
		t.Errorf("request p90 is %d µs: the stall is not seen", p90)
	}
	if p99 := request.Quantile(99); p99 < 900_000 {
		t.Errorf("request p99 is %d µs: the stall is not seen", p99)
	}
	if p90 := service.Quantile(90); p90 > request.Quantile(90)/2 {
		t.Errorf("service p90 is %d µs: it should not see what waited", p90)
	}
}

// TestInterruption ends sending at once and still lets accepted runs end.
func TestInterruption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeServer{stall: func(n int64) {
		if n == 50 {
			cancel()
		}
	}}
	p := quick()
	p.Count, p.Rate, p.Duration = 0, 500, time.Hour
	r, err := loadgen.Run(ctx, p, f.open(t))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; !r.Interrupted || c.Events < 50 || c.Lost != 0 || c.Completed != c.Accepted || c.Accepted != c.Events {
		t.Errorf("interrupted %v, counts %+v", r.Interrupted, c)
	}
	if float64(r.Window) > 60 {
		t.Errorf("the window took %.0f s", float64(r.Window))
	}
}

// TestRealApp sends events for an app that is not ours: only requests are measured.
func TestRealApp(t *testing.T) {
	t.Parallel()
	p := quick()
	p.AppURL, p.Event = "http://127.0.0.1:1", "shop/order"
	r, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; c.Accepted != 300 || c.Expected != 0 || r.Latency[result.FirstCall] != nil {
		t.Errorf("counts %+v", c)
	}
}

func TestTheLimitOfEventsIsTold(t *testing.T) {
	t.Parallel()
	p := quick()
	p.Count, p.MaxEvents = 0, 100
	r, err := loadgen.Run(t.Context(), p, new(fakeServer).open(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Counts.Events != 100 || !strings.Contains(strings.Join(r.Warnings, "\n"), "limit of 100 events") {
		t.Errorf("counts %+v, warnings %q", r.Counts, r.Warnings)
	}
}
