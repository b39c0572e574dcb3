package loadgen

import (
	"context"
	"sync"
	"time"

	"ingot/loadgen/proc"
	"ingot/loadgen/record"
	"ingot/loadgen/result"
)

// interval is that of the time series.
const interval = time.Second

// snapshot is what processes had used at one moment.
type snapshot struct {
	at           time.Duration
	server, self proc.Sample
	redis        proc.RedisSample
	redisErr     error
}

func (s *session) snapshot() snapshot {
	n := snapshot{at: s.clock.Now(), server: s.serverSample(), self: proc.Self()}
	if s.redis != nil {
		n.redis, n.redisErr = s.redis.Sample(context.Background())
	}
	return n
}

// watcher makes the time series, and a line a second.
type watcher struct {
	s *session

	mu     sync.Mutex
	series []result.Sample
	origin time.Duration // beginning of the window; 0 before it
	last   lastSample
	rssMax int64
	latest record.Interval

	once sync.Once
	quit chan struct{}
	done sync.WaitGroup
}

// lastSample is what the counters said at the end of the last interval.
type lastSample struct {
	at     time.Duration
	counts [len(seriesCounters)]int64
	cpu    time.Duration
}

var seriesCounters = [...]record.Counter{record.Events, record.Accepted, record.Errors, record.Completed, record.Steps}

// watch starts watching; stop ends it.
func (s *session) watch(ctx context.Context) *watcher {
	w := &watcher{s: s, quit: make(chan struct{}), rssMax: proc.Unknown}
	w.last = w.sample()
	w.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.take()
			case <-w.quit:
				return
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// stop takes the last sample and ends the watching.
func (w *watcher) stop() {
	w.once.Do(func() {
		close(w.quit)
		w.done.Wait()
		w.take()
	})
}

// begin starts the window: all that was counted is forgotten, but for the series.
func (w *watcher) begin() {
	w.take()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.s.rec.Reset()
	w.origin = w.s.clock.Now()
	for i := range w.series {
		w.series[i].At -= result.Seconds(w.origin.Seconds())
	}
	w.last = w.sample()
	w.rssMax = w.s.serverSample().RSS
}

func (w *watcher) sample() (l lastSample) {
	l.at = w.s.clock.Now()
	for i, c := range seriesCounters {
		l.counts[i] = w.s.rec.Count(c)
	}
	return l
}

// take closes one interval.
func (w *watcher) take() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.sample()
	length := (now.at - w.last.at).Seconds()
	if length <= 0 {
		return
	}
	server := w.s.serverSample()
	now.cpu = server.CPU
	w.rssMax = max(w.rssMax, server.RSS)
	w.s.rec.Interval(&w.latest)
	d := func(i int) int64 { return now.counts[i] - w.last.counts[i] }
	p := result.Sample{
		At: result.Seconds((now.at - w.origin).Seconds()), Events: d(0), Accepted: d(1), Errors: d(2), Completed: d(3), Steps: d(4),
		Backlog:    w.s.backlog(),
		RequestP50: w.latest[record.Request].Quantile(50), RequestP99: w.latest[record.Request].Quantile(99),
		FirstCallP50: w.latest[record.FirstCall].Quantile(50), FirstCallP99: w.latest[record.FirstCall].Quantile(99),
		StepP99: w.latest[record.Step].Quantile(99), ServerCores: proc.Unknown, ServerRSS: server.RSS,
	}
	if now.cpu >= 0 && w.last.cpu > 0 {
		p.ServerCores = (now.cpu - w.last.cpu).Seconds() / length
	}
	w.series = append(w.series, p)
	w.last = now
	if length > interval.Seconds()/2 {
		w.line(p, length)
	}
}

// line tells a person how it goes.
func (w *watcher) line(p result.Sample, length float64) {
	at := "warm-up"
	if w.origin > 0 {
		at = p.At.Duration().Round(time.Second).String()
	}
	w.s.progress("%8s  %9.0f events/s  %8.0f runs/s  backlog %-8d errors %-5d request p50 %s p99 %s  first call p99 %s", at,
		float64(p.Events)/length, float64(p.Completed)/length, p.Backlog, p.Errors,
		micros(p.RequestP50), micros(p.RequestP99), micros(p.FirstCallP99))
}

func micros(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
