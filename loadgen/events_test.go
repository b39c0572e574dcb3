package loadgen

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/loadgen/ledger"
	"ingot/loadgen/record"
	"ingot/loadgen/sender"

	"github.com/klauspost/compress/gzip"
)

// testEvents makes the events of a plan with one client.
func testEvents(t *testing.T, change func(*Plan)) *events {
	t.Helper()
	p := DefaultPlan()
	p.Clients = 1
	change(&p)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	l, err := buildLoad(p)
	if err != nil {
		t.Fatal(err)
	}
	e := newEvents(p, l, 77, ledger.New(1_000_000, l.branches(), time.Second), record.New())
	e.begin(1_000_000)
	return e
}

// wireEvent is an event as a server reads it.
type wireEvent struct {
	ID, Name string
	Data     struct {
		LG struct {
			S, I, T int64
			Key     string
			Urgent  bool
		}
		P string
		// Key and Order are of waits and of the recording below.
		Key   string
		Order int
	}
	User map[string]int
}

func body(t *testing.T, e *events) (list []wireEvent, raw []byte) {
	t.Helper()
	raw, _, ok := e.Append(0, nil, 5)
	if !ok {
		t.Fatal("nothing to send")
	}
	plain := raw
	if e.clients[0].zip != nil {
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if plain[0] != '[' {
		plain = append(append([]byte{'['}, plain...), ']')
	}
	if err := json.Unmarshal(plain, &list); err != nil {
		t.Fatalf("%v in %s", err, plain)
	}
	return list, raw
}

func TestEvents(t *testing.T) {
	t.Parallel()
	e := testEvents(t, func(p *Plan) { p.Shape.Size, p.EventID = 500, true })
	for i := range int64(3) {
		list, raw := body(t, e)
		ev := list[0]
		if ev.Name != "lg/steps-0" || ev.Data.LG.S != 77 || ev.Data.LG.I != i || ev.Data.LG.T != 5 || !strings.HasPrefix(ev.ID, "lg-77-") {
			t.Errorf("%+v", ev)
		}
		if len(raw) < 470 || len(raw) > 540 {
			t.Errorf("%d bytes", len(raw))
		}
	}
	e = testEvents(t, func(p *Plan) { p.Workload, p.Batch, p.Gzip = "wait", 7, true })
	e.begin(10)
	if list, _ := body(t, e); len(list) != 7 || list[6].Data.Key != "77-6" {
		t.Errorf("%+v", list)
	}
	if list, _ := body(t, e); len(list) != 3 {
		t.Errorf("%d events, 3 were left", len(list))
	}
	if _, _, ok := e.Append(0, nil, 0); ok {
		t.Error("more events than the limit")
	}
	e = testEvents(t, func(p *Plan) {
		p.Workload, p.Batch, p.Shape.Size, p.Shape.Flow.Keys, p.Shape.Flow.Priority = "wait", 12, 300, 5, 60
	})
	list, raw := body(t, e)
	if lg := list[10].Data.LG; lg.Key != "k0" || !lg.Urgent || list[11].Data.LG.Key != "k1" || list[10].Data.Key != "77-10" {
		t.Errorf("%+v", list[10:])
	}
	if len(raw) < 12*270 || len(raw) > 12*340 {
		t.Errorf("%d bytes", len(raw))
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, zip := range []bool{false, true} {
		e := testEvents(t, func(p *Plan) { p.Workload, p.Batch, p.Gzip = "tenants", 10, zip })
		b := make([]byte, 0, 1<<20)
		o := &sender.Outcome{Status: 200, Paced: true}
		send := func() {
			_, token, _ := e.Append(0, b, 0)
			o.Token = token
			e.Done(0, o)
		}
		send()
		if n := testing.AllocsPerRun(100, send); n > 0 {
			t.Errorf("gzip %v: %g allocations per request", zip, n)
		}
	}
}

func TestZipf(t *testing.T) {
	t.Parallel()
	e := testEvents(t, func(p *Plan) { p.Workload = "tenants" })
	counts := map[*template]int{}
	const n = 100_000
	for i := range int64(n) {
		counts[e.template(i)]++
	}
	first, tenth := counts[e.load.parts[0].templates[0]], counts[e.load.parts[0].templates[9]]
	if ratio := float64(first) / float64(tenth); ratio < 11 || ratio > 14.5 { // 10^1.1 is 12.6
		t.Errorf("the first has %d, the tenth %d: %.1f times as many", first, tenth, ratio)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMixWeights(t *testing.T) {
	t.Parallel()
	file := write(t, "- {workload: steps, weight: 3}\n- {workload: sleep, sleep: 5s, keys: 4, throttle: 10/1s+5}\n")
	e := testEvents(t, func(p *Plan) { p.Workload, p.File = "mix", file })
	counts := map[string]int{}
	for i := range int64(40_000) {
		counts[e.template(i).part.Name]++
	}
	if n := counts["steps"]; n < 29_000 || n > 31_000 || counts["steps"]+counts["sleep"] != 40_000 {
		t.Error(counts)
	}
	if s := e.load.parts[1].shape; s.Sleep != 5*time.Second || s.Steps != 1 || s.Flow.Keys != 4 || s.Flow.Throttle.Burst != 5 {
		t.Errorf("%+v", s)
	}
	steps, calls := work(e.load.parts)
	if steps != 2.5 || calls != 3.5 {
		t.Error(steps, calls)
	}
}

func TestReplayKeepsEvents(t *testing.T) {
	t.Parallel()
	file := write(t, `{"id":"a","name":"o/1","data":{"lg":1,"order":7},"user":{"id":3},"ts":1000}`+"\n\n"+`{"name":"o/2","data":{},"ts":1250}`+"\n"+`{"name":"o/2","ts":1100}`)
	e := testEvents(t, func(p *Plan) { p.Workload, p.File = "replay", file })
	list, _ := body(t, e)
	if ev := list[0]; ev.Name != "o/1" || ev.ID != "" || ev.Data.Order != 7 || ev.Data.LG.S != 77 || ev.User["id"] != 3 {
		t.Errorf("%+v", ev)
	}
	for i := int64(1); i < 3; i++ {
		if list, _ := body(t, e); list[0].Name != "o/2" || list[0].Data.LG.I != i {
			t.Errorf("%+v", list[0])
		}
	}
	if len(e.load.parts[0].functions) != 2 {
		t.Errorf("%d functions", len(e.load.parts[0].functions))
	}
	s := e.load.recorded.schedule()
	for _, want := range []time.Duration{0, 250 * time.Millisecond, 250 * time.Millisecond} {
		if at, ok := s.Next(); at != want || !ok {
			t.Errorf("due at %s, want %s", at, want)
		}
	}
	if _, ok := s.Next(); ok {
		t.Error("the schedule does not end")
	}
}

func TestBadPlans(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Plan){
		"clients is 0":                    func(p *Plan) { p.Clients = 0 },
		"steps is 10001":                  func(p *Plan) { p.Shape.Steps = MaxSteps + 1 },
		"rate is -1":                      func(p *Plan) { p.Rate = -1 },
		"skew is 11":                      func(p *Plan) { p.Shape.Skew = 11 },
		"hold queued is -1":               func(p *Plan) { p.Hold.Queued = -1 },
		"needs the name of the event":     func(p *Plan) { p.AppURL = "http://127.0.0.1:1" },
		"not on this machine":             func(p *Plan) { p.AppURL, p.Event = "http://192.0.2.1:1", "x" },
		`workload "x": it must be one of`: func(p *Plan) { p.Workload = "x" },
		"no file given":                   func(p *Plan) { p.Workload = "mix" },
		"line 2: the event has no name":   func(p *Plan) { p.Workload, p.File = "replay", write(t, "{\"name\":\"a\"}\n{}\n") },
		"element 1: steps is -1":          func(p *Plan) { p.Workload, p.File = "mix", write(t, "- {workload: steps, steps: -1}") },
		"has 0 workloads":                 func(p *Plan) { p.Workload, p.File = "mix", write(t, "[]") },
		"replay cannot be part of a mix":  func(p *Plan) { p.Workload, p.File = "mix", write(t, "- {workload: replay}") },
	} {
		p := DefaultPlan()
		change(&p)
		err := p.Validate()
		if err == nil {
			_, err = buildLoad(p)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
