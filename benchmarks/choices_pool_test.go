package benchmarks

import (
	"sync"
	"testing"
	"time"

	"ingot/engine/event"

	"github.com/panjf2000/ants/v2"
)

// ingestState is what the event handler needs during one request.
type ingestState struct {
	parser  event.Parser
	event   event.Event
	records []byte
	answer  []byte
}

// ingest is the work of the handler that uses the state.
func (s *ingestState) ingest(body []byte) error {
	s.records, s.answer = s.records[:0], s.answer[:0]
	for s.parser.Reset(body, 1); s.parser.Next(&s.event); {
		s.records = s.event.AppendRecord(s.records)
		s.answer = s.event.AppendInternalID(s.answer)
	}
	return s.parser.Err()
}

// BenchmarkChoiceState gets the state of a request from a sync.Pool, keeps it with
// the connection (here: the goroutine), or makes it anew.
func BenchmarkChoiceState(b *testing.B) {
	pool := sync.Pool{New: func() any { return new(ingestState) }}
	for _, in := range []struct {
		name string
		body []byte
	}{{"1x200B", events(200, 1)}, {"100x200B", events(200, 100)}} {
		for _, c := range []struct {
			name   string
			worker func() func() error
		}{
			{"pool", func() func() error {
				return func() error {
					s := pool.Get().(*ingestState)
					defer pool.Put(s)
					return s.ingest(in.body)
				}
			}},
			{"connection", func() func() error {
				s := new(ingestState)
				return func() error { return s.ingest(in.body) }
			}},
			{"allocate", func() func() error {
				return func() error { return new(ingestState).ingest(in.body) }
			}},
		} {
			b.Run(in.name+"/"+c.name, func(b *testing.B) { spread(b, connections, c.worker) })
		}
	}
}

// blocked is a call of user code: some stack, as the HTTP client needs it, and a wait.
func blocked(done *sync.WaitGroup) {
	var stack [4 << 10]byte
	touch(&stack)
	time.Sleep(100 * time.Microsecond)
	done.Done()
}

//go:noinline
func touch(stack *[4 << 10]byte) {
	for i := 0; i < len(stack); i += 256 {
		stack[i]++
	}
}

// workerLimit bounds the calls under way, as the transport's default does.
const workerLimit = 512

// BenchmarkChoiceWorkers runs calls that wait for about 100 µs, at most workerLimit
// at the same time.
func BenchmarkChoiceWorkers(b *testing.B) {
	b.Run("ants", func(b *testing.B) {
		pool, err := ants.NewPoolWithFuncGeneric(workerLimit, blocked)
		if err != nil {
			b.Fatal(err)
		}
		defer pool.Release()
		benchWorkers(b, func(done *sync.WaitGroup) error { return pool.Invoke(done) })
	})
	b.Run("goroutines", func(b *testing.B) {
		slots := make(chan struct{}, workerLimit)
		benchWorkers(b, func(done *sync.WaitGroup) error {
			slots <- struct{}{}
			go func() {
				blocked(done)
				<-slots
			}()
			return nil
		})
	})
	b.Run("channel", func(b *testing.B) {
		queue := make(chan *sync.WaitGroup, workerLimit)
		var workers sync.WaitGroup
		for range workerLimit {
			workers.Go(func() {
				for done := range queue {
					blocked(done)
				}
			})
		}
		defer workers.Wait()
		defer close(queue)
		benchWorkers(b, func(done *sync.WaitGroup) error { queue <- done; return nil })
	})
}

func benchWorkers(b *testing.B, submit func(*sync.WaitGroup) error) {
	var done sync.WaitGroup
	b.ReportAllocs()
	for b.Loop() {
		done.Add(1)
		if err := submit(&done); err != nil {
			b.Fatal(err)
		}
	}
	done.Wait()
}
