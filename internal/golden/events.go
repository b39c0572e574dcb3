package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// internalEvents are the events that the server emits about runs.
var internalEvents = []string{
	"inngest/function.finished",
	"inngest/function.failed",
	"inngest/function.cancelled",
	"inngest/function.invoked",
	"inngest/deferred.schedule",
}

// Recorder is an app whose functions are triggered by the internal events, and so
// sees what a server emits. One recorder serves many replays on one server.
type Recorder struct {
	addr string
	// key is the server's signing key; empty if it has none.
	key string

	mu     sync.Mutex
	routes map[string]*Replay // by the function that an event is about
}

// NewRecorder starts the recorder's app.
func NewRecorder() (*Recorder, func(), error) {
	r := &Recorder{routes: map[string]*Replay{}}
	addr, stop, err := listen(r.serve)
	r.addr = addr
	return r, stop, err
}

// Route sends the events about a replay's functions to it.
func (r *Recorder) Route(p *Replay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fn := range p.Functions() {
		r.routes[fn] = p
	}
}

// Register registers the recorder for some events (all by default).
func (r *Recorder) Register(server string, events ...string) error {
	if len(events) == 0 {
		events = internalEvents
	}
	type obj = map[string]any
	var functions []obj
	for _, event := range events {
		id := "golden-recorder-" + strings.ReplaceAll(strings.TrimPrefix(event, "inngest/"), ".", "-")
		functions = append(functions, obj{
			"id": id, "name": id,
			"triggers": []obj{{"event": event}},
			"steps": obj{"step": obj{
				"id": "step", "name": "step", "retries": obj{"attempts": 0},
				"runtime": obj{"type": "http", "url": "http://" + r.addr + "/recorder?fnId=" + id + "&stepId=step"},
			}},
		})
	}
	body, err := json.Marshal(obj{
		"url": "http://" + r.addr + "/recorder", "deployType": "ping", "framework": "golden", "appName": "golden-recorder",
		"sdk": "js:v4.24.0", "v": "0.1", "capabilities": obj{"trust_probe": "v1"}, "functions": functions,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+server+"/fn/register", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("registering the recorder: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("registering the recorder: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("registering the recorder: status %d %s", res.StatusCode, clip(string(answer)))
	}
	return nil
}

func (r *Recorder) serve(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("X-Inngest-SDK", "js:v4.24.0")
	ctx.Response.Header.Set("Content-Type", "application/json")
	ctx.SetBodyString("null")
	var call struct {
		Event json.RawMessage `json:"event"`
	}
	var event struct {
		Name string `json:"name"`
		Data struct {
			FunctionID string `json:"function_id"`
			Inngest    struct {
				FnID   string `json:"fn_id"`
				FnSlug string `json:"fn_slug"`
			} `json:"_inngest"`
		} `json:"data"`
	}
	if json.Unmarshal(ctx.Request.Body(), &call) != nil || json.Unmarshal(call.Event, &event) != nil {
		return
	}
	fn := event.Data.FunctionID
	if fn == "" {
		fn = event.Data.Inngest.FnID + event.Data.Inngest.FnSlug
	}
	r.mu.Lock()
	p := r.routes[fn]
	r.mu.Unlock()
	if p != nil {
		p.mu.Lock()
		p.seen = append(p.seen, Event{Name: event.Name, Raw: string(append([]byte(nil), call.Event...))})
		p.mu.Unlock()
	}
}

// settleTime is how long a replay looks for calls and events that were not recorded,
// after all that were recorded have come; lastEvent is how long it waits for those.
const (
	settleTime = time.Second
	lastEvent  = 3 * time.Second
)

// settle waits for the events of the end, and compares all of them.
func (r *Replay) settle() {
	want, ok, err := r.s.InternalEvents()
	if err != nil {
		r.problem("%v", err)
	}
	deadline := time.Now().Add(lastEvent)
	for time.Now().Before(deadline) {
		r.mu.Lock()
		n := len(r.seen)
		r.mu.Unlock()
		if n >= len(want)+len(r.s.RunsAtEnd)/2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(settleTime)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.problems = append(r.problems, r.compareEvents(want, r.seen)...)
	}
	r.problems = append(r.problems, r.compareEnds()...)
}

// compareEvents finds for each recorded event the one that it is.
func (r *Replay) compareEvents(want, seen []Event) []string {
	var problems []string
	left := append([]Event(nil), seen...)
	var open []Event
next:
	for _, w := range want {
		for i, g := range left {
			if g.Name == w.Name && r.b.try(func() bool { return r.compareEvent(w, g) == nil }) {
				left = append(left[:i], left[i+1:]...)
				continue next
			}
		}
		open = append(open, w)
	}
	for _, w := range open {
		best, diffs := -1, []string(nil)
		for i, g := range left {
			if g.Name != w.Name {
				continue
			}
			var d []string
			r.b.try(func() bool { d = r.compareEvent(w, g); return false })
			if best < 0 || eventScore(d) < eventScore(diffs) {
				best, diffs = i, d
			}
		}
		if best < 0 {
			problems = append(problems, fmt.Sprintf("event %s was not emitted: %s", w.Name, clip(w.Raw)))
			continue
		}
		left = append(left[:best], left[best+1:]...)
		for _, d := range diffs {
			problems = append(problems, fmt.Sprintf("event %s: %s", w.Name, d))
		}
	}
	for _, g := range left {
		problems = append(problems, fmt.Sprintf("event %s was not recorded: %s", g.Name, clip(g.Raw)))
	}
	return problems
}

func eventScore(diffs []string) int {
	n := len(diffs)
	for _, d := range diffs {
		if strings.HasPrefix(d, "data.run_id") || strings.HasPrefix(d, "data.function_id") || strings.HasPrefix(d, "data._inngest.fn") {
			n += 1000
		}
	}
	return n
}

// compareEvent compares id, name and data; the rest has another form in a call than
// in the recorded view.
func (r *Replay) compareEvent(want, got Event) []string {
	w, err := decodeTemplate(want.Raw)
	if err != nil {
		return []string{"recording: " + err.Error()}
	}
	g, err := decodeJSON([]byte(got.Raw))
	if err != nil {
		return []string{err.Error()}
	}
	wo, _ := w.(map[string]any)
	g2, _ := g.(map[string]any)
	c := comparer{b: r.b}
	for _, k := range []string{"data", "name", "id"} {
		c.value(k, wo[k], g2[k])
	}
	return c.diffs
}

// compareEnds compares the final states in files that have no events: a run that
// was recorded as finished, failed or cancelled has emitted an event that says so.
func (r *Replay) compareEnds() []string {
	states := map[string]string{}
	for _, e := range r.seen {
		var in struct {
			Data struct {
				RunID   string `json:"run_id"`
				Inngest struct {
					Status string `json:"status"`
				} `json:"_inngest"`
			} `json:"data"`
		}
		if e.Name == "inngest/function.finished" && json.Unmarshal([]byte(e.Raw), &in) == nil {
			states[in.Data.RunID] = strings.ToUpper(in.Data.Inngest.Status)
		}
	}
	var problems []string
	for _, end := range r.s.RunsAtEnd {
		id, ok := r.b.Value(end.ID)
		if !ok {
			problems = append(problems, fmt.Sprintf("run %s of %s was not seen", end.ID, end.Fn))
			continue
		}
		if state, ok := states[id]; ok && state != end.Status {
			problems = append(problems, fmt.Sprintf("run %s of %s: recorded %s, got %s", end.ID, end.Fn, end.Status, state))
		}
	}
	sort.Strings(problems)
	return problems
}
