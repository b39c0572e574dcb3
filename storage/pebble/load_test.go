package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"ingot/engine"
)

// load is a workload whose traces can be checked after a crash. Each partition
// commits batches that can only be complete or absent; appenders append numbered
// records; and one goroutine writes to everything by turns, so that what survives
// of it must be a prefix.
type load struct {
	seed uint64
	s    *DB
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	commits  map[int]int // by partition: commits whose done(nil) was called
	appended map[int]int // by appender: appends that returned nil
	turns    int         // turns that were acknowledged
	acked    int         // all of them
	reached  *sync.Cond
	failures []error // of commits and appends
}

const (
	turnsTable = engine.TableFunction
	appenders  = 4
	turner     = appenders // the appender number of the goroutine that takes turns
)

func newLoad(s *DB, seed uint64) *load {
	l := &load{seed: seed, s: s, stop: make(chan struct{}), commits: map[int]int{}, appended: map[int]int{}}
	l.reached = sync.NewCond(&l.mu)
	for part := range s.Partitions() - 1 { // the last two partitions are the turner's
		l.wg.Go(func() { l.commit(part) })
	}
	for a := range appenders {
		l.wg.Go(func() { l.append(a) })
	}
	l.wg.Go(l.turn)
	return l
}

// note counts an acknowledgement or a failure. It returns false when the load ends.
func (l *load) note(err error, count func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failures = append(l.failures, err)
	} else {
		count()
		l.acked++
	}
	l.reached.Broadcast()
	return err == nil
}

func (l *load) going() bool {
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}

// commit writes batches of several keys with the same value, and deletes the batch before last.
func (l *load) commit(part int) {
	p, err := l.s.Partition(part)
	if err != nil {
		return
	}
	rng := rand.New(rand.NewPCG(l.seed, uint64(part)))
	var failed sync.Once
	over := make(chan struct{})
	for n := 1; l.going(); n++ {
		b := p.NewBatch()
		b.Put(engine.TableRun, []byte("n"), fmt.Append(nil, n))
		size := rng.IntN(2000)
		for i := range 5 {
			b.Put(engine.TableStep, fmt.Appendf(nil, "%08d/%d", n, i), make([]byte, size))
			b.Delete(engine.TableStep, fmt.Appendf(nil, "%08d/%d", n-2, i))
		}
		p.Commit(b, func(err error) {
			if !l.note(err, func() { l.commits[part] = n }) {
				failed.Do(func() { close(over) })
			}
		})
		select {
		case <-over:
			return
		default:
		}
	}
}

func (l *load) append(a int) {
	rng := rand.New(rand.NewPCG(l.seed, uint64(100+a)))
	for n := 1; l.going(); n++ {
		err := l.s.Log().Append(record(a, n, rng.IntN(500)), 1)
		if !l.note(err, func() { l.appended[a] = n }) {
			return
		}
	}
}

// turn writes turn n to the system partition, the last partition or the log.
func (l *load) turn() {
	sys, _ := l.s.Partition(engine.SystemPartition)
	last, err := l.s.Partition(l.s.Partitions() - 1)
	if err != nil {
		return
	}
	for n := 1; l.going(); n++ {
		var err error
		if n%3 == 0 {
			err = l.s.Log().Append(record(turner, n, 0), 1)
		} else {
			p := []engine.PartitionStore{sys, last}[n%3-1]
			b := p.NewBatch()
			b.Put(turnsTable, fmt.Appendf(nil, "%08d", n), nil)
			done := make(chan error, 1)
			p.Commit(b, func(err error) { done <- err })
			err = <-done
		}
		if !l.note(err, func() { l.turns = n }) {
			return
		}
	}
}

// record encodes a record of the log: appender, number, length of what follows.
func record(a, n, size int) []byte {
	r := make([]byte, 12+size)
	binary.BigEndian.PutUint32(r, uint32(a))
	binary.BigEndian.PutUint32(r[4:], uint32(n))
	binary.BigEndian.PutUint32(r[8:], uint32(size))
	return r
}

// await waits until n writes were acknowledged or one has failed.
func (l *load) await(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.acked < n && len(l.failures) == 0 {
		l.reached.Wait()
	}
}

// count is the number of acknowledged writes.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// end stops the load and waits for it.
func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}

// promise is what was acknowledged at some moment.
type promise struct {
	commits, appended map[int]int
	turns             int
}

func (l *load) promised() promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := promise{map[int]int{}, map[int]int{}, l.turns}
	for k, v := range l.commits {
		p.commits[k] = v
	}
	for k, v := range l.appended {
		p.appended[k] = v
	}
	return p
}

// check verifies what a store holds after a crash. Under SyncInterval commits may
// be missing, though what is there must still be a prefix.
func (p promise) check(t *testing.T, s *DB, policy SyncPolicy) {
	t.Helper()
	always := policy == SyncAlways
	for part := range s.Partitions() - 1 {
		ps, err := s.Partition(part)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		_ = ps.Get(engine.TableRun, [][]byte{[]byte("n")}, func(_ int, v []byte) {
			if v != nil {
				_, err = fmt.Sscan(string(v), &n)
			}
		})
		if err != nil || always && n < p.commits[part] {
			t.Errorf("partition %d: commit %d is the last, but %d was acknowledged, error %v", part, n, p.commits[part], err)
		}
		var got, want []string
		err = ps.Scan(engine.TableStep, nil, nil, func(k, _ []byte) bool {
			got = append(got, string(k))
			return true
		})
		for b := max(1, n-1); b <= n; b++ {
			for i := range 5 {
				want = append(want, fmt.Sprintf("%08d/%d", b, i))
			}
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("partition %d: torn at commit %d: holds %v, error %v", part, n, got, err)
		}
	}
	turns := map[int]bool{}
	for _, part := range []int{engine.SystemPartition, s.Partitions() - 1} {
		ps, err := s.Partition(part)
		if err != nil {
			t.Fatal(err)
		}
		err = ps.Scan(turnsTable, nil, nil, func(k, _ []byte) bool {
			var n int
			_, _ = fmt.Sscanf(string(k), "%d", &n)
			turns[n] = true
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
	seen := map[int]int{}
	for _, r := range readLog(t, s) {
		if r.appender == turner {
			turns[r.n] = true
			continue
		}
		if r.n != seen[r.appender]+1 {
			t.Errorf("appender %d: record %d follows %d", r.appender, r.n, seen[r.appender])
		}
		seen[r.appender] = r.n
	}
	for a, n := range p.appended {
		if seen[a] < n {
			t.Errorf("appender %d: record %d is the last, but %d was acknowledged", a, seen[a], n)
		}
	}
	for n := 1; n <= len(turns); n++ {
		if !turns[n] {
			t.Errorf("of %d turns, %d is missing: not a prefix", len(turns), n)
			break
		}
	}
	// Under SyncInterval a turn is sure to be there if it was an append.
	sure := p.turns
	if !always {
		sure = p.turns / 3 * 3
	}
	if len(turns) < sure {
		t.Errorf("%d turns are left, but turn %d was durable", len(turns), sure)
	}
}

type logRecord struct{ appender, n int }

// readLog reads the whole log and checks its numbering.
func readLog(t *testing.T, s *DB) (records []logRecord) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for seq := uint64(0); ; {
		g, err := s.Log().Next(ctx, seq)
		if errors.Is(err, context.Canceled) {
			return records
		}
		if err != nil {
			t.Fatalf("Next(%d): %v", seq, err)
		}
		if seq > 0 && g.First != seq {
			t.Errorf("Next(%d) skipped to %d", seq, g.First)
		}
		count := 0
		for d := g.Data; len(d) > 0; count++ {
			size := int(binary.BigEndian.Uint32(d[8:]))
			records = append(records, logRecord{int(binary.BigEndian.Uint32(d)), int(binary.BigEndian.Uint32(d[4:]))})
			d = d[12+size:]
		}
		if count != g.Count {
			t.Errorf("group %d has %d records, not %d", g.First, count, g.Count)
		}
		seq = g.First + uint64(g.Count)
	}
}
