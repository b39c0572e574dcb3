package record

import (
	"sync"
	"testing"
	"time"
)

func TestNothingIsForgotten(t *testing.T) {
	t.Parallel()
	r := New()
	var work, watch sync.WaitGroup
	const workers, each = 6, 5_000
	for w := range workers {
		work.Go(func() {
			for i := range each {
				r.Time(uint64(w), Request, time.Duration(i)*time.Microsecond)
				r.Add(uint64(w), Events, 2)
			}
		})
	}
	stop := make(chan struct{})
	var in Interval
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.Interval(&in)
			}
		}
	})
	work.Wait()
	close(stop)
	watch.Wait()
	r.Interval(&in)
	h := r.Total(Request)
	if h.TotalCount() != workers*each || h.Max() < each-10 || h.Min() != 1 || r.Count(Events) != 2*workers*each {
		t.Errorf("%d times from %d to %d, %d events", h.TotalCount(), h.Min(), h.Max(), r.Count(Events))
	}
	r.Interval(&in)
	if in[Request].TotalCount() != 0 {
		t.Error("an interval is told twice")
	}
	r.Time(0, Step, 100*time.Hour) // above the range
	r.Reset()
	if r.Total(Request).TotalCount()+r.Total(Step).TotalCount()+r.Count(Events) != 0 {
		t.Error("Reset leaves something")
	}
}

func TestTimeAllocatesNothing(t *testing.T) {
	r := New()
	if n := testing.AllocsPerRun(100, func() { r.Time(1, Wake, time.Second); r.Add(1, Calls, 1) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
