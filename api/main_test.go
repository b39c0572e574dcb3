package api

import (
	"context"
	"testing"

	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// One goroutine makes the Date header of all of fasthttp's servers; the pool of
		// each server cleans up every 10 s and sees only then that the server has stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// TestShutdownWithoutRequests stops servers before, while and after their loop
// begins; it must end in every case.
func TestShutdownWithoutRequests(t *testing.T) {
	t.Parallel()
	for range 50 {
		s := NewServer(Options{})
		ln := fasthttputil.NewInmemoryListener()
		done := make(chan error, 1)
		go func() { done <- s.Serve(ln) }()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
