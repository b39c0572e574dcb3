package golden

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer plays the server's side of a recording: it answers as recorded and
// makes the recorded calls. A replay against it has no differences.
type fakeServer struct {
	r *Replay
	b *Bindings
	t *timeline

	mu sync.Mutex
}

// fakePatience is for what surely comes, however busy the machine is. Here everything does:
// the patience of a replay is for servers that leave something out.
const fakePatience = time.Minute

func newFake(r *Replay) *fakeServer {
	f := &fakeServer{r: r, b: NewBindings(), t: newTimeline(r.s.Exchanges, fakePatience)}
	for _, name := range []string{"<APP>", "<APP-DIRECT>", "<APP:escaped>", "<UPSTREAM>", "<CLOSED>"} {
		v, _ := r.b.Value(name)
		f.b.Set(name, v)
	}
	for _, slug := range r.Functions() {
		if id, ok := r.functionID(slug); ok {
			f.b.Set("<UUID:fn:"+slug+">", id)
		}
	}
	refs := regexp.MustCompile(`"job_id":"(<JOBID:\d+>)".*"qi_id":"(<QIREF:\d+>)"`)
	for i := range r.s.Exchanges {
		e := &r.s.Exchanges[i]
		if e.Request == nil {
			continue
		}
		if m := refs.FindStringSubmatch(e.Request.Body.Raw + e.Request.Body.RawPrefix); m != nil {
			job := "job" + strings.Trim(m[1], "<>JOBID:")
			f.b.Set(m[1], job)
			f.b.Set(m[2], base64.StdEncoding.EncodeToString([]byte(job+"::default")))
		}
		if job := e.Request.Headers.Get("X-Inngest-Job-Id"); job != "" {
			f.b.Set(job, "job"+strings.Trim(job, "<>JOBID:"))
		}
	}
	return f
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	m := f.take(req, string(body))
	if m == nil {
		http.Error(w, "not recorded", http.StatusTeapot)
		return
	}
	defer m.finish()
	for name, v := range m.Response.Headers {
		if !hopHeaders[name] {
			w.Header()[name] = v
		}
	}
	text, _ := m.Response.Body.Text()
	if m.Response.Body.Large() {
		// The only large answer: the two memos of state-over-request-limit.
		half := strings.Repeat("y", 2500000)
		text = `{"32f28ea03b1b20126629d2ca63fc6665b0bbb604":{"data":"` + half + `"},"7e83ca2a65d6f90a809c8570c6c905a941b87732":{"data":"` + strings.ReplaceAll(half, "y", "x") + `"}}` + "\n"
	}
	w.WriteHeader(m.Response.Status)
	_, _ = io.WriteString(w, f.b.Expand(text, time.Now()))
}

func (f *fakeServer) take(req *http.Request, body string) *moment {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.t.moments {
		if m.role != roleClient || isClosed(m.arrived) || m.Request.Method != req.Method {
			continue
		}
		text, err := m.Request.Body.Text()
		if err == nil && f.b.try(func() bool { return f.b.Match(m.Request.Path, req.RequestURI) == nil && f.b.Match(text, body) == nil }) {
			m.arrive()
			f.t.late(m.At)
			return m
		}
	}
	return nil
}

// call makes one recorded call, changed by edit.
func (f *fakeServer) call(m *moment, edit func(string) string) {
	defer m.finish()
	f.t.beforeRequest(m)
	text := m.Request.Body.Raw
	if m.Request.Body.Large() {
		pad := m.Request.Body.Bytes - len(m.Request.Body.RawPrefix)
		text = m.Request.Body.RawPrefix + strings.Repeat("y", pad)
	}
	body := edit(f.b.Expand(text, time.Now()))
	req, err := http.NewRequest(m.Request.Method, "http://"+f.r.app+f.b.Expand(m.Request.Path, time.Now()), strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header["User-Agent"] = nil
	for name, v := range m.Request.Headers {
		if !hopHeaders[name] && name != "Host" {
			req.Header[name] = []string{f.b.Expand(v[0], time.Now())}
		}
	}
	res, err := client.Do(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

// run makes the calls of the recording and emits its events.
func (f *fakeServer) run(edit func(string) string) {
	f.t.begin()
	var wg sync.WaitGroup
	for _, m := range f.t.moments {
		if m.role == roleCall {
			wg.Go(func() { f.call(m, edit) })
		}
	}
	wg.Wait()
	events, _, _ := f.r.s.InternalEvents()
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	for _, e := range events {
		f.r.seen = append(f.r.seen, Event{Name: e.Name, Raw: edit(f.b.Expand(e.Raw, time.Now()))})
	}
}

// playFake replays a file against its own recording.
func playFake(t *testing.T, s *Scenario, edit func(string) string) []string {
	t.Helper()
	r, stop, err := NewReplay(s)
	if err != nil {
		return []string{err.Error()}
	}
	defer stop()
	r.t.patience, r.answerPatience = fakePatience, fakePatience
	f := newFake(r)
	server := httptest.NewServer(f)
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	f.b.Set("<SERVER>", addr)
	r.Begin()
	done := make(chan struct{})
	go func() { f.run(edit); close(done) }()
	r.play(addr)
	<-done                        // all events have come
	problems, _ := split(r.end()) // the recording has no history to read
	return problems
}

// TestRecordingsMatchThemselves plays short files of every shape against their own
// recording: the replay must find nothing.
func TestRecordingsMatchThemselves(t *testing.T) {
	t.Parallel()
	files := append(load(t, "runs"), load(t, "sdk-traffic")...)
	var wg sync.WaitGroup
	for _, s := range files {
		if length(s) > 2600 && !slices.Contains([]string{"runs/event-big-data.json", "runs/steps-sleep-until.json", "sdk-traffic/v4-endpoint.json"}, s.File) {
			continue
		}
		// All at once: they sleep most of the time.
		wg.Go(func() {
			for _, p := range playFake(t, s, func(s string) string { return s }) {
				t.Errorf("%s: %s", s.File, p)
			}
		})
	}
	wg.Wait()
}

// TestReplayFindsDifferences changes what the server sends and expects to be told.
func TestReplayFindsDifferences(t *testing.T) {
	t.Parallel()
	tests := []struct{ file, old, new, want string }{
		{"runs/fail-payload-shapes.json", `"attempt":0`, `"attempt":7`, "body.ctx.attempt: recorded 0, got 7"},
		{"runs/steps-failed-op.json", `"version":1`, `"version":2`, "body.version: recorded 1, got 2"},
		{"runs/steps-failed-op.json", `"user":{}`, `"user":{"x":1}`, "body.event.user.x: not recorded"},
		{"runs/steps-failed-op.json", `"use_api":false}`, `"use_api":false,"z":[]}`, "body.ctx.z: not recorded"},
		{"runs/steps-failed-op.json", `"status":"Completed"`, `"status":"Failed"`, "event inngest/function.finished: data._inngest.status"},
		{"runs/steps-failed-op.json", `{"ctx":`, `{ "ctx":`, "equal values in other bytes"},
	}
	files := map[string]*Scenario{}
	for _, s := range load(t, "runs") {
		files[s.File] = s
	}
	for _, tt := range tests {
		t.Run(tt.file+" "+tt.new, func(t *testing.T) {
			t.Parallel()
			problems := playFake(t, files[tt.file], func(s string) string { return strings.ReplaceAll(s, tt.old, tt.new) })
			if !strings.Contains(strings.Join(problems, "\n"), tt.want) {
				t.Errorf("no problem says %q: %q", tt.want, problems)
			}
		})
	}
}
