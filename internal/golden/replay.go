package golden

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Replay plays one scenario against a server.
type Replay struct {
	s      *Scenario
	server string // host:port
	b      *Bindings
	t      *timeline
	app    string
	// parallel is set if the scenario runs steps beside each other: then the order
	// in which they complete is a race, in the reference too.
	parallel bool
	// answerPatience is how long a call waits for answers that came before it.
	answerPatience time.Duration

	mu       sync.Mutex
	problems []string
	extra    int
	seen     []Event // internal events, as the recorder saw them
}

// randomTimes says that the recorded times are random or follow the wall clock.
func (s *Scenario) randomTimes() bool {
	return s.File == "runs/retry-default-backoff.json" || s.File == "runs/cron-minute.json"
}

// patience is how long after its recorded time a call may come.
func (s *Scenario) patience() time.Duration {
	if s.randomTimes() {
		return 62 * time.Second
	}
	return 6 * time.Second
}

// NewReplay starts the scripted app of a scenario; Play plays it.
func NewReplay(s *Scenario) (*Replay, func(), error) {
	r := &Replay{s: s, b: NewBindings(), t: newTimeline(s.Exchanges, s.patience()), answerPatience: 2 * time.Second}
	addr, stop, err := listen(r.serve)
	if err != nil {
		return nil, nil, err
	}
	r.app = addr
	third, stopThird, err := listen(upstream)
	if err != nil {
		stop()
		return nil, nil, err
	}
	stopAll := func() { stop(); stopThird() }
	closed, err := closedPort()
	if err != nil {
		stopAll()
		return nil, nil, err
	}
	for name, v := range map[string]string{
		"<APP>": addr, "<APP-DIRECT>": addr, "<UPSTREAM>": third,
		"<APP:escaped>": url.QueryEscape(addr), "<CLOSED>": closed,
	} {
		r.b.Set(name, v)
	}
	if s.Server.Mode == "start" {
		r.b.Set(signingKey, recordedKey)
	}
	for i := range s.Exchanges {
		e := &s.Exchanges[i]
		if roleOf(e) == roleCall && !strings.HasSuffix(e.Request.Path, "stepId=step") || e.Response != nil && strings.Count(e.Response.Body.Raw, `"op":`) > 1 {
			r.parallel = true
		}
	}
	return r, stopAll, nil
}

// closedPort returns an address where nothing listens.
func closedPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// AppURL fills the app's address into a flag or URL of the recording.
func (r *Replay) AppURL(template string) string { return r.b.Expand(template, time.Now()) }

// Functions returns the ids of the functions that the scenario registers.
func (r *Replay) Functions() []string {
	var names []string
	for _, m := range r.t.moments {
		if m.role != roleClient || !strings.HasPrefix(m.Request.Path, "/fn/register") {
			continue
		}
		for _, f := range registered(m) {
			names = append(names, f.ID)
		}
	}
	return names
}

// registration is what the replay needs of a registered function.
type registration struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Steps struct {
		Step struct {
			Runtime struct {
				URL string `json:"url"`
			} `json:"runtime"`
		} `json:"step"`
	} `json:"steps"`
}

func registered(m *moment) []registration {
	var body struct {
		Functions []registration `json:"functions"`
	}
	if json.Unmarshal([]byte(m.Request.Body.Raw), &body) != nil {
		return nil
	}
	return body.Functions
}

// Begin starts the scenario's clock. A server that calls the app by itself (-u)
// may be started after it.
func (r *Replay) Begin() { r.t.begin() }

// Play replays against the server at host:port and returns what differed.
func (r *Replay) Play(server string) []string {
	r.play(server)
	return r.end()
}

// play sends what was sent, and waits for the calls.
func (r *Replay) play(server string) {
	r.server = server
	r.b.Set("<SERVER>", server)
	var wg sync.WaitGroup
	for _, m := range r.t.moments {
		if m.role == roleClient {
			wg.Go(func() {
				defer m.finish()
				r.t.beforeRequest(m)
				r.send(m)
			})
		}
	}
	for _, m := range r.t.moments {
		if m.role != roleCall {
			continue
		}
		if !r.t.await(m.arrived, m.At) {
			r.problem("call %d (%s) did not come", m.Seq, describe(m))
			continue
		}
		r.t.await(m.done, m.until())
	}
	wg.Wait()
}

// end waits for what comes last, or should not come, and returns what differed.
func (r *Replay) end() []string {
	r.settle()
	views := r.compareViews()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, views...)
	if r.extra > 0 {
		r.problems = append(r.problems, fmt.Sprintf("%d calls that were not recorded", r.extra))
	}
	return r.problems
}

func (r *Replay) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func describe(m *moment) string {
	return fmt.Sprintf("%s %s", m.Request.Method, m.Request.Path)
}

// client sends the requests of the recording. It asks for no compression of its own.
var client = &http.Client{
	Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	},
}

// send makes one recorded request and compares the answer.
func (r *Replay) send(m *moment) {
	text, err := m.Request.Body.Text()
	if err != nil {
		r.problem("request %d: %v", m.Seq, err)
		return
	}
	at := sendTime(r.s.File, m.Seq, time.Now())
	if m.Request.Body.Base64 == "" {
		text = r.b.Expand(text, at)
	}
	r.learn(m.Request.Path)
	target := "http://" + r.server + r.b.Expand(m.Request.Path, at)
	req, err := http.NewRequest(m.Request.Method, target, strings.NewReader(text))
	if err != nil {
		r.problem("request %d: %v", m.Seq, err)
		return
	}
	for _, name := range m.Request.Headers.Names() {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if hopHeaders[canonical] || canonical == "Host" || canonical == "Accept-Encoding" {
			continue
		}
		for _, v := range m.Request.Headers[name] {
			req.Header[name] = append(req.Header[name], r.b.Expand(v, at))
		}
	}
	m.arrive()
	res, err := client.Do(req)
	if err != nil {
		r.problem("request %d (%s): %v", m.Seq, describe(m), err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.problem("request %d (%s): %v", m.Seq, describe(m), err)
		return
	}
	var diffs []string
	if res.StatusCode != m.Response.Status {
		diffs = append(diffs, fmt.Sprintf("status: recorded %d, got %d %q", m.Response.Status, res.StatusCode, clip(string(body))))
	} else {
		diffs = append(r.compareAnswer(m, body),
			compareHeader(m.Response.Headers, Header(res.Header), r.b, false)...)
	}
	for _, d := range diffs {
		r.problem("answer to request %d (%s): %s", m.Seq, describe(m), d)
	}
}

// compareAnswer compares the body of an answer. Memos are told in the order in which
// they were made, on purpose, where the reference sorts them.
func (r *Replay) compareAnswer(m *moment, body []byte) []string {
	memos := strings.HasSuffix(m.Request.Path, "/actions")
	if want := &m.Response.Body; memos && want.Large() {
		if len(body) != want.Bytes {
			return []string{fmt.Sprintf("body: recorded %d bytes, got %d", want.Bytes, len(body))}
		}
		return nil
	}
	diffs := compareBody(&m.Response.Body, body, r.b, nil)
	if memos && len(diffs) == 1 && strings.HasPrefix(diffs[0], otherBytes) {
		return nil
	}
	return diffs
}

// sendTime is the time that a request's time placeholders stand for. Two scenarios
// send events from another time than now; the recording lost by how much, its
// effects (and its title) tell.
func sendTime(file string, seq int, now time.Time) time.Time {
	switch {
	case file == "runs/ts-future.json":
		return now.Add(4 * time.Second)
	case file == "runs/debounce-ts-order.json" && seq == 2:
		return now.Add(-10 * time.Second)
	}
	return now
}

// serve answers a call of the server.
func (r *Replay) serve(ctx *fasthttp.RequestCtx) {
	c := readCall(ctx)
	m := r.match(c)
	if m == nil && !strings.Contains(c.path, "/api/inngest") {
		// Where a redirect led to there was no scenario, and no recording.
		ctx.SetStatusCode(http.StatusNotFound)
		ctx.SetBodyString("no scenario")
		return
	}
	if m == nil {
		r.mu.Lock()
		r.extra++
		first := r.extra == 1
		r.mu.Unlock()
		if first {
			r.problem("call that was not recorded: %s %s %s", c.method, c.path, clip(string(c.body)))
		}
		ctx.Response.Header.Set("X-Inngest-SDK", "js:v4.24.0")
		ctx.Response.Header.Set("X-Inngest-No-Retry", "true")
		ctx.SetStatusCode(http.StatusBadRequest)
		return
	}
	defer m.finish()
	if early := r.t.ahead(m.At); early > tooEarly(r.s.File) && !r.s.randomTimes() {
		r.problem("call %d (%s) came %s early", m.Seq, describe(m), early.Round(100*time.Millisecond))
	}
	r.t.late(m.At)
	r.t.beforeAnswer(m)
	if err := write(ctx, m.Response, r.b, r.answerTime(m)); err != nil {
		r.problem("call %d: %v", m.Seq, err)
	}
}

// answerTime is the time that an answer's time placeholders stand for: where a step
// sleeps until a date, the recorded time of the same run's next call.
func (r *Replay) answerTime(m *moment) time.Time {
	run := m.Request.Headers.Get("X-Run-Id")
	for _, o := range r.t.moments {
		if o.role == roleCall && o.Seq > m.Seq && o.At > m.until() && o.Request.Headers.Get("X-Run-Id") == run {
			return r.t.when(o.At)
		}
	}
	return time.Now()
}
