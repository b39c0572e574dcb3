package metrics

// latencyBounds are upper bounds in seconds, from what a call on the same host takes to
// the longest that a call may take.
var latencyBounds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}

// latency is a histogram of seconds. Its user locks.
type latency struct {
	counts [len(latencyBounds)]uint64 // of each of latencyBounds alone, not of all below
	total  uint64
	sum    float64
}

func (l *latency) observe(seconds float64) {
	l.total++
	l.sum += seconds
	for i, b := range latencyBounds {
		if seconds <= b {
			l.counts[i]++
			return
		}
	}
}

func (l *latency) write(p *Page, name, help string) {
	below := make([]uint64, len(l.counts))
	var n uint64
	for i, c := range l.counts {
		n += c
		below[i] = n
	}
	p.Histogram(name, help, latencyBounds[:], below, l.total, l.sum)
}
