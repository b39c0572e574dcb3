package memstore

import (
	"sync"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/storagetest"
)

// stepped steps a store in the background until it is closed.
type stepped struct {
	*Store
	once sync.Once
	stop chan struct{}
	wg   sync.WaitGroup
}

func (s *stepped) run() {
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		if !s.Step() {
			time.Sleep(20 * time.Microsecond)
		}
	}
}

func (s *stepped) Close() error {
	s.once.Do(func() { close(s.stop); s.wg.Wait() })
	return s.Store.Close()
}

type harness struct {
	mode Mode
	last *Store
}

func (h *harness) Open(*testing.T) engine.Store {
	if h.last == nil {
		h.last = New(1, Options{Partitions: storagetest.Partitions, Mode: h.mode})
	} else {
		h.last = h.last.Crash() // of a closed store: nothing is pending
	}
	if h.mode == Auto {
		return h.last
	}
	s := &stepped{Store: h.last, stop: make(chan struct{})}
	s.wg.Go(s.run)
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]Mode{"auto": Auto, "manual": Manual, "interval": Interval} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(*testing.T) storagetest.Harness { return &harness{mode: mode} })
		})
	}
}
