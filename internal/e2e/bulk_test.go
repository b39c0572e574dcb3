package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

const (
	bulkRuns    = 300
	bulkPerHz   = 150
	bulkSleeper = 3000
)

// bulkApp has a function whose first run of each event fails and later ones succeed, and
// one that sleeps for long.
type bulkApp struct {
	mu sync.Mutex
	// runs are those of each event, in the order of their first calls.
	runs map[string][]string
	// asleep are the runs that have been told to sleep.
	asleep map[string]bool
}

func (a *bulkApp) handle(ctx *fasthttp.RequestCtx) {
	call, err := rawapp.ParseCall(ctx.PostBody())
	if err != nil {
		rawapp.Reply(ctx, fasthttp.StatusBadRequest, []byte(`{"message":"unreadable call"}`))
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if string(ctx.Path()) == "/sleep" {
		a.asleep[call.Ctx.RunID] = true
		rawapp.ReplyOps(ctx, rawapp.Sleep("long", time.Hour))
		return
	}
	runs := a.runs[call.Event.ID]
	if len(runs) == 0 || runs[len(runs)-1] != call.Ctx.RunID {
		a.runs[call.Event.ID] = append(runs, call.Ctx.RunID)
	}
	if len(runs) == 0 || runs[0] == call.Ctx.RunID {
		rawapp.Reply(ctx, fasthttp.StatusInternalServerError, []byte(`{"message":"the first time it fails"}`))
		return
	}
	rawapp.Reply(ctx, fasthttp.StatusOK, []byte(`"done"`))
}

func (a *bulkApp) counts() (events, asleep int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.runs), len(a.asleep)
}

// bulkState is what is shown of a bulk operation.
type bulkState struct {
	ID, Status                   string
	Cancelled, Matched, Replayed int
	Failed, Skipped              int
}

// bulkAsk makes a request whose answer has data of type T.
func bulkAsk[T any](t *testing.T, method, url, body string) (data T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Data T }
	if err := json.Unmarshal(text, &answer); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, url, res.StatusCode, text)
	}
	return answer.Data
}

// TestBulkKilled kills the server amid a bulk replay and a bulk cancellation, which go on
// after the restart; no run is replayed twice, and what is counted is what was done.
func TestBulkKilled(t *testing.T) {
	t.Parallel()
	port, dir, bin := freePort(t), t.TempDir(), serverBinary(t)
	var p *rawapp.Process
	start := func() {
		t.Helper()
		var err error
		if p, err = rawapp.StartProcess(bin, port, "--data-dir", dir, "--log-level", "warn"); err != nil {
			t.Fatal(err)
		}
	}
	app := &bulkApp{runs: map[string][]string{}, asleep: map[string]bool{}}
	a, err := rawapp.Start("bulk", app.handle)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	start()
	defer func() { p.Kill() }()
	if err := a.Register(t.Context(), p.URL, rawapp.Function{ID: "fail", Event: "bulk/fail"}, rawapp.Function{ID: "sleep", Event: "bulk/sleep"}); err != nil {
		t.Fatal(err)
	}
	sendMany(t, p.URL, "bulk/fail", bulkRuns)
	sendMany(t, p.URL, "bulk/sleep", bulkSleeper)
	waitFor(t, "all first calls", func() bool {
		failed, asleep := app.counts()
		return failed == bulkRuns && asleep == bulkSleeper
	})
	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	counted := func() int { // so that all have ended before the replay looks for them
		dry := bulkAsk[bulkState](t, http.MethodPost, p.URL+"/v1/replays", fmt.Sprintf(`{"app_id":"bulk","function_id":"bulk-fail","from":%q,"dry_run":true}`, from))
		return dry.Matched
	}
	waitFor(t, "all runs to fail", func() bool { return counted() == bulkRuns })

	replay := bulkAsk[bulkState](t, http.MethodPost, p.URL+"/v1/replays",
		fmt.Sprintf(`{"app_id":"bulk","function_id":"bulk-fail","from":%q,"per_second":%d}`, from, bulkPerHz))
	cancelled := make(chan struct{})
	go func() { // nobody hears the answer, since the server is killed
		defer close(cancelled)
		_ = rawapp.Post(t.Context(), p.URL+"/v1/cancellations", fmt.Appendf(nil, `{"app_id":"bulk","function_id":"bulk-sleep","started_before":"2999-01-01T00:00:00Z"}`))
	}()
	var cancellation bulkState
	waitFor(t, "the cancellation to be accepted", func() bool {
		all := bulkAsk[[]bulkState](t, http.MethodGet, p.URL+"/v1/cancellations", "")
		if len(all) > 0 {
			cancellation = all[0]
		}
		return len(all) > 0
	})
	url := p.URL + "/v1/replays/" + replay.ID
	for _, least := range []int{bulkRuns / 3, 2 * bulkRuns / 3} {
		waitFor(t, "the replay to go on", func() bool {
			replay = bulkAsk[bulkState](t, http.MethodGet, url, "")
			return replay.Replayed >= least
		})
		if replay.Status != "running" {
			t.Errorf("nothing is left to be killed: %+v", replay)
		}
		p.Kill()
		start()
	}
	<-cancelled
	ended := func(url string) (s bulkState) {
		waitFor(t, url+" to end", func() bool {
			s = bulkAsk[bulkState](t, http.MethodGet, url, "")
			return s.Status != "running"
		})
		return s
	}
	if s := ended(url); s.Status != "completed" || s.Matched != bulkRuns || s.Replayed != bulkRuns || s.Failed+s.Skipped > 0 {
		t.Errorf("the replay: %+v", s)
	}
	if s := ended(p.URL + "/v1/cancellations/" + cancellation.ID); s.Status != "completed" || s.Cancelled != bulkSleeper {
		t.Errorf("the cancellation: %+v, when it was killed %+v", s, cancellation)
	}
	waitFor(t, "all replays to run", func() bool { return app.replayed() == bulkRuns })
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	checkBulk(t, filepath.Join(dir, "history.db"))
}

// replayed is the number of events with two runs; more are counted as none.
func (a *bulkApp) replayed() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, runs := range a.runs {
		if len(runs) == 2 {
			n++
		}
	}
	return n
}

// checkBulk looks at what the history has: one replay of each run, and all sleepers
// cancelled.
func checkBulk(t *testing.T, file string) {
	t.Helper()
	db, err := history.Open(t.Context(), history.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	replays := map[ulid.ULID]int{}
	q := history.RunQuery{Statuses: []history.Status{history.Completed}, Limit: 100}
	for {
		page, err := db.Runs(t.Context(), &q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			replays[page[i].Original]++
		}
		if len(page) < q.Limit {
			break
		}
		last := &page[len(page)-1]
		q.After = &history.RunPosition{ID: last.ID, At: last.QueuedAt}
	}
	for id, n := range replays {
		if n != 1 {
			t.Errorf("run %s was replayed %d times", id, n)
		}
	}
	if len(replays) != bulkRuns {
		t.Errorf("%d runs were replayed", len(replays))
	}
	for status, want := range map[history.Status]int{history.Failed: bulkRuns, history.Cancelled: bulkSleeper} {
		n, err := db.CountRuns(t.Context(), &history.RunQuery{Statuses: []history.Status{status}})
		if err != nil || n != want {
			t.Errorf("%d runs have status %d, want %d: %v", n, status, want, err)
		}
	}
}

// sendMany sends n events of a name, with ids of their own.
func sendMany(t *testing.T, url, name string, n int) {
	t.Helper()
	body := []byte{'['}
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"name":%q,"id":"%s-%d","data":{}}`, name, name, i)
	}
	if err := rawapp.Send(t.Context(), url, append(body, ']')); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(outageLimit); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
