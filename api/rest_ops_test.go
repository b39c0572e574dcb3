package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

const opsPatience = time.Minute

func TestFunctionModes(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{}
	s := restServer(t, &fakeHistory{}, o)
	f := s.opts.Catalog.Snapshot().BySlug["app-f"]
	for action, mode := range map[string]string{"pause": "paused", "drain": "draining", "unpause": "active"} {
		for _, name := range []string{"app-f", f.ID.String()} {
			r := sdkCall(s, "POST", "/v1/functions/"+name+"/"+action, "")
			want := fmt.Sprintf(`{"data":{"id":%q,"slug":"app-f","name":"F","app":"app","app_id":%q,"mode":%q,"backlog":7},"metadata"`, f.ID, f.AppID, mode)
			if r.StatusCode() != 200 || !strings.HasPrefix(string(r.Body()), want) {
				t.Errorf("%s %s: %d %s, want %s", action, name, r.StatusCode(), r.Body(), want)
			}
		}
	}
	expect(t, sdkCall(s, "POST", "/v1/functions/nope/pause", ""), 404, `{"error":"function not found","data":null,"status":404}`+"\n")
	o.err = engine.ErrBusy
	r := sdkCall(s, "POST", "/v1/functions/app-f/pause", "")
	if r.StatusCode() != 503 || string(r.Header.Peek("Retry-After")) == "" {
		t.Errorf("%d %s", r.StatusCode(), r.Body())
	}
}

func TestBulkBadInput(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{})
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"cancellations", `{`, 400, "Invalid cancellation request"},
		{"cancellations", ``, 400, "Invalid cancellation request"},
		{"cancellations", `{} {}`, 400, "Invalid cancellation request"},
		{"cancellations", `{"app_id":7}`, 400, "Invalid cancellation request"},
		{"cancellations", `{}`, 400, "app_id is required\nfunction_id is required\nstarted_before is required"},
		{"cancellations", `{"app_id":"app","function_id":"app-f","started_befor":"2026-01-01T00:00:00Z"}`, 400, `Invalid cancellation request: unknown field "started_befor"`},
		{"cancellations", `{"app_id":"app","function_id":"app-f","started_before":"now"}`, 400, "started_before is not an RFC 3339 time: now"},
		{"cancellations", `{"app_id":"app","function_id":"app-f","started_before":"2026-01-01T00:00:00Z","started_after":"2026-01-01T00:00:00Z"}`, 400, "started_before must be after started_after"},
		{"cancellations", `{"app_id":"app","function_id":"nope","started_before":"2026-01-01T00:00:00Z"}`, 404, "function not found"},
		{"cancellations", `{"app_id":"other","function_id":"app-f","started_before":"2026-01-01T00:00:00Z"}`, 404, "function not found"},
		{"cancellations", `{"app_id":"app","function_id":"app-f","started_before":"2026-01-01T00:00:00Z","if":"event.data."}`, 400, "if is not a valid condition: "},
		{"cancellations", strings.Repeat(" ", maxRESTBody+1), 413, "Request body exceeds 1048576 bytes"},
		{"replays", `{}`, 400, "app_id is required\nfunction_id is required\nfrom is required"},
		{"replays", `{"app_id":"app","function_id":"app-f","from":"2026-01-01T00:00:00Z","until":"2025-01-01T00:00:00Z"}`, 400, "until must be after from"},
		{"replays", `{"app_id":"app","function_id":"app-f","from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","statuses":["RUNNING"]}`, 400, "statuses may have COMPLETED, FAILED and CANCELLED, not RUNNING"},
		{"replays", `{"app_id":"app","function_id":"app-f","from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","limit":-1}`, 400, "limit must be from 1 to 1000000"},
		{"replays", `{"app_id":"app","function_id":"app-f","from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","per_second":20000}`, 400, "per_second must be from 1 to 10000"},
	} {
		r := sdkCall(s, "POST", "/v1/"+c.path, c.body)
		var got errorBody
		if err := json.Unmarshal(r.Body(), &got); err != nil {
			t.Fatalf("%s: %v in %s", c.body, err, r.Body())
		}
		if r.StatusCode() != c.status || got.Status != c.status || !strings.HasPrefix(got.Error, c.want) || !strings.HasSuffix(c.want, ": ") && got.Error != c.want {
			t.Errorf("%s %.200s: %d %q, want %d %q", c.path, c.body, r.StatusCode(), got.Error, c.status, c.want)
		}
	}
}

const cancelBody = `{"app_id":"app","function_id":"app-f","started_after":"1970-01-01T00:00:01Z","started_before":"1970-01-01T00:00:02.5Z","if":"true"}`

// bulkView is a bulk operation as answered.
type bulkView struct {
	Data struct {
		ID        string `json:"id"`
		Status    string `json:"status"`
		Cancelled int    `json:"cancelled"`
		Matched   int    `json:"matched"`
		Replayed  int    `json:"replayed"`
		Skipped   int    `json:"skipped"`
		Failed    int    `json:"failed"`
		LastError string `json:"last_error"`
	} `json:"data"`
}

func bulkCall(t *testing.T, s *Server, method, path, body string) (v bulkView) {
	t.Helper()
	r := sdkCall(s, method, path, body)
	if err := json.Unmarshal(r.Body(), &v); err != nil || r.StatusCode() != 200 {
		t.Fatalf("%s %s: %d %s", method, path, r.StatusCode(), r.Body())
	}
	return v
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{}
	s := restServer(t, &fakeHistory{}, o)
	v := bulkCall(t, s, "POST", "/v1/cancellations", cancelBody)
	if v.Data.Status != "completed" || v.Data.Cancelled != 3 {
		t.Errorf("%+v", v)
	}
	b := o.bulks[0]
	if b.After != 1000 || b.Before != 2500 || b.If != "true" || b.Fn != s.opts.Catalog.Snapshot().BySlug["app-f"].ID {
		t.Errorf("%+v", b)
	}
	o.err = errors.New("broken")
	if v := bulkCall(t, s, "POST", "/v1/cancellations", cancelBody); v.Data.Status != "failed" {
		t.Errorf("%+v", v)
	}
	list := string(sdkCall(s, "GET", "/v1/cancellations", "").Body())
	if strings.Index(list, "failed") > strings.Index(list, "completed") || strings.Count(list, `"id"`) != 2 {
		t.Errorf("the newest is not first: %s", list)
	}
}

// TestBulkBounds: operations that do not end are bounded.
func TestBulkBounds(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{block: true})
	l := bulkList[cancellationJSON]{s: s, kind: "cancellation", work: func(ctx context.Context, _ *bulkJob[cancellationJSON]) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	for range maxBulkRunning {
		if _, err := l.start(cancellationJSON{}, bulkPlace{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.start(cancellationJSON{}, bulkPlace{}); err == nil {
		t.Error("there is no bound")
	}
	v := bulkCall(t, s, "POST", "/v1/cancellations", cancelBody)
	if v.Data.Status != "running" {
		t.Errorf("%+v", v)
	}
	expectStatus(t, sdkCall(s, "DELETE", "/v1/cancellations/"+v.Data.ID, "").StatusCode(), 409)
}

func TestBulkListForgets(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{})
	l := bulkList[replayJSON]{s: s, kind: "replay", work: func(context.Context, *bulkJob[replayJSON]) error { return nil }}
	for range maxBulkJobs + 5 {
		j, err := l.start(replayJSON{}, bulkPlace{})
		if err != nil {
			t.Fatal(err)
		}
		<-j.done
	}
	stored := 0
	if err := s.opts.Catalog.Jobs(func(ulid.ULID, []byte) { stored++ }); err != nil {
		t.Fatal(err)
	}
	if n := len(l.list()); n != maxBulkJobs || stored != maxBulkJobs {
		t.Errorf("%d operations are remembered, %d stored", n, stored)
	}
}

// replayHistory has runs of fn: one of each state, and more failed ones than a page.
func replayHistory(s *Server) *fakeHistory {
	h := s.opts.History.(*fakeHistory)
	fn := s.opts.Catalog.Snapshot().BySlug["app-f"].ID
	add := func(status history.Status, data string) {
		n := len(h.runs) + 1
		e := ulid.ULID{0: 1, 14: byte(n >> 8), 15: byte(n)}
		h.events = append(h.events, history.Event{ID: e, Name: "e", TS: int64(n), Data: []byte(data)})
		h.runs = append(h.runs, history.Run{ID: ulid.ULID{4: byte(n >> 8), 5: byte(n)}, Function: fn, Status: status, QueuedAt: int64(n), Events: []ulid.ULID{e}})
	}
	add(history.Completed, `{"n":1}`)
	add(history.Cancelled, `{"n":1}`)
	for i := range 2*replayPage + 1 {
		add(history.Failed, fmt.Sprintf(`{"n":%d}`, i%2))
	}
	return h
}

const replayBody = `{"app_id":"app","function_id":"app-f","from":"1970-01-01T00:00:00Z","until":"1970-01-01T00:01:00Z","per_second":10000%s}`

func replayDone(t *testing.T, s *Server, more string) bulkView {
	t.Helper()
	v := bulkCall(t, s, "POST", "/v1/replays", fmt.Sprintf(replayBody, more))
	for end := time.Now().Add(opsPatience); v.Data.Status == "running" && time.Now().Before(end); {
		v = bulkCall(t, s, "GET", "/v1/replays/"+v.Data.ID, "")
	}
	return v
}

func TestReplays(t *testing.T) {
	t.Parallel()
	const failed = 2*replayPage + 1
	for more, want := range map[string]int{
		``:                                      failed,
		`,"if":"event.data.n==1"`:               replayPage,
		`,"limit":7`:                            7,
		`,"statuses":["COMPLETED","cancelled"]`: 2,
	} {
		o := &fakeOperator{}
		s := restServer(t, &fakeHistory{}, o)
		h := replayHistory(s)
		v := replayDone(t, s, more)
		if v.Data.Status != "completed" || v.Data.Matched != want || v.Data.Replayed != want || len(o.replays) != want {
			t.Errorf("%s: %+v, %d replays, want %d", more, v, len(o.replays), want)
		}
		if h.query.From != 0 || h.query.Until != 60_000 || !h.query.Ascending {
			t.Errorf("%+v", h.query)
		}
		first := o.replays[0]
		if len(first.Events) != 1 || !strings.HasPrefix(string(first.Events[0]), `{"data":{"n":`) || first.Original == (ulid.ULID{}) {
			t.Errorf("%+v", first)
		}
		dry := replayDone(t, s, more+`,"dry_run":true`)
		if dry.Data.Matched != want || dry.Data.Replayed != 0 || len(o.replays) != want {
			t.Errorf("%s: dry run %+v", more, dry)
		}
	}
}

func TestReplayFailures(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{err: fmt.Errorf("no: %w", engine.ErrSkipped)}
	s := restServer(t, &fakeHistory{}, o)
	h := replayHistory(s)
	if v := replayDone(t, s, ""); v.Data.Skipped != 2*replayPage+1 || v.Data.Status != "completed" {
		t.Errorf("%+v", v)
	}
	h.events = nil
	v := replayDone(t, s, `,"limit":3`)
	if v.Data.Failed != 3 || !strings.Contains(v.Data.LastError, "not kept any more") {
		t.Errorf("%+v", v)
	}
}

// TestReplayEnds: one that runs can be stopped.
func TestReplayEnds(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{block: true})
	replayHistory(s)
	v := bulkCall(t, s, "POST", "/v1/replays", fmt.Sprintf(replayBody, ""))
	if v.Data.Status != "running" {
		t.Fatalf("%+v", v)
	}
	if v = bulkCall(t, s, "DELETE", "/v1/replays/"+v.Data.ID, ""); v.Data.Status != "cancelled" || v.Data.Replayed != 0 {
		t.Errorf("%+v", v)
	}
	expectStatus(t, sdkCall(s, "DELETE", "/v1/replays/"+v.Data.ID, "").StatusCode(), 204)
	expectStatus(t, sdkCall(s, "GET", "/v1/replays/"+v.Data.ID, "").StatusCode(), 404)
	expectStatus(t, sdkCall(s, "GET", "/v1/replays/zz", "").StatusCode(), 400)
}

// deadOperator has n letters; every third has the time and id of the one before, in
// another partition, and every tenth stays.
func deadOperator(n int) *fakeOperator {
	o := &fakeOperator{}
	for i := range n {
		d := engine.DeadLetter{Partition: i % 4, At: int64(i), ID: ulid.ULID{15: byte(i)}, Kind: engine.DeadRun, Reason: "goes", Body: []byte("xx")}
		if i%3 == 2 {
			d.At, d.ID = o.dead[i-1].At, o.dead[i-1].ID
		}
		if i%10 == 0 {
			d.Reason = "stays"
		}
		o.dead = append(o.dead, d)
	}
	return o
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, deadOperator(25))
	var seen []string
	for cursor := ""; ; {
		var page struct {
			Data []deadJSON `json:"data"`
		}
		r := sdkCall(s, "GET", "/v1/dead-letters?limit=4"+cursor, "")
		if err := json.Unmarshal(r.Body(), &page); err != nil || r.StatusCode() != 200 {
			t.Fatalf("%d %s", r.StatusCode(), r.Body())
		}
		if len(page.Data) == 0 {
			break
		}
		for _, d := range page.Data {
			if d.Kind != "run" || d.Bytes != 2 || d.Run == "" {
				t.Errorf("%+v", d)
			}
			seen = append(seen, d.ID)
		}
		cursor = "&cursor=" + seen[len(seen)-1]
	}
	unique := map[string]bool{}
	for _, id := range seen {
		unique[id] = true
	}
	if len(seen) != 25 || len(unique) != 25 {
		t.Fatalf("%d letters, %d of them different", len(seen), len(unique))
	}
	expect(t, sdkCall(s, "POST", "/v1/dead-letters/"+seen[0]+"/redrive", ""), 409, `{"error":"it still cannot run","data":null,"status":409}`+"\n")
	expectStatus(t, sdkCall(s, "POST", "/v1/dead-letters/"+seen[1]+"/redrive", "").StatusCode(), 200)
	expect(t, sdkCall(s, "POST", "/v1/dead-letters/"+seen[1]+"/redrive", ""), 404, `{"error":"dead letter not found","data":null,"status":404}`+"\n")
	expectStatus(t, sdkCall(s, "DELETE", "/v1/dead-letters/"+seen[2], "").StatusCode(), 204)
	expectStatus(t, sdkCall(s, "DELETE", "/v1/dead-letters/1-2", "").StatusCode(), 400)
	expectStatus(t, sdkCall(s, "GET", "/v1/dead-letters?limit=0", "").StatusCode(), 400)
	expectStatus(t, sdkCall(s, "GET", "/v1/dead-letters?cursor=x", "").StatusCode(), 400)
}

func TestRedriveAll(t *testing.T) {
	t.Parallel()
	o := deadOperator(200)
	s := restServer(t, &fakeHistory{}, o)
	r := sdkCall(s, "POST", "/v1/dead-letters/redrive", "")
	if want := `{"data":{"redriven":180,"failed":20,"error":"it still cannot run"},"metadata"`; r.StatusCode() != 200 || !strings.HasPrefix(string(r.Body()), want) {
		t.Errorf("%d %s", r.StatusCode(), r.Body())
	}
	if len(o.dead) != 20 {
		t.Errorf("%d letters are left", len(o.dead))
	}
}
