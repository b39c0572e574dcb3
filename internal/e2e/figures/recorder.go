package main

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ingot/internal/e2e/rawapp"

	"github.com/valyala/fasthttp"
)

// recorder is the app: `three` has three steps, `nap` sleeps an hour. It reads
// calls by looking for spans, so that it costs little beside the server.
type recorder struct {
	replies [3][]byte
	napping []byte
	done    atomic.Int64 // runs of `three` that ended
	napped  atomic.Int64 // runs of `nap` that fell asleep

	// While timing, the app notes when calls come and go.
	timing atomic.Bool
	mu     sync.Mutex
	first  []time.Duration      // event sent → first call
	step   []time.Duration      // a step's answer → the next call of the run
	left   map[string]time.Time // when the run's last answer left
}

func newRecorder() *recorder {
	r := &recorder{left: map[string]time.Time{}}
	for i := range r.replies {
		name := "step-" + strconv.Itoa(i)
		r.replies[i] = []byte(`[{"op":"StepRun","id":"` + rawapp.StepID(name) + `","name":"` + name + `","data":{"n":` + strconv.Itoa(i) + `}}]`)
	}
	r.napping = []byte(`[{"op":"Sleep","id":"` + rawapp.StepID("nap") + `","name":"1h"}]`)
	return r
}

var (
	stackKey = []byte(`"stack":{"current":`)
	runKey   = []byte(`"run_id":"`)
	sentKey  = []byte(`"sent":`)
)

func (r *recorder) handle(ctx *fasthttp.RequestCtx) {
	now := time.Now()
	body := ctx.PostBody()
	if bytes.HasPrefix(ctx.Path(), []byte("/nap")) {
		r.napped.Add(1)
		rawapp.Reply(ctx, fasthttp.StatusPartialContent, r.napping)
		return
	}
	n := int(number(body, stackKey))
	if r.timing.Load() {
		r.note(body, n, now)
	}
	if n >= len(r.replies) {
		rawapp.Reply(ctx, fasthttp.StatusOK, []byte(`{"ok":true}`))
		r.done.Add(1)
		return
	}
	rawapp.Reply(ctx, fasthttp.StatusPartialContent, r.replies[n])
}

func (r *recorder) note(body []byte, n int, now time.Time) {
	i := bytes.Index(body, runKey) + len(runKey)
	run := string(body[i : i+26])
	r.mu.Lock()
	defer r.mu.Unlock()
	if n == 0 {
		r.first = append(r.first, now.Sub(time.Unix(0, number(body, sentKey))))
	} else {
		r.step = append(r.step, now.Sub(r.left[run]))
	}
	r.left[run] = time.Now()
	if n >= len(r.replies) {
		delete(r.left, run)
	}
}

// number reads the number after key; 0 if there is none.
func number(body, key []byte) int64 {
	i := bytes.Index(body, key)
	if i < 0 {
		return 0
	}
	var n int64
	for _, c := range body[i+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
