package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
)

// bulkJob is what tests look at of a bulk operation.
type bulkJob struct {
	ID, Status string
	Cancelled  int
	Matched    int
	Replayed   int
	Skipped    int
	Failed     int
}

// bulk begins an operation and waits for its end.
func (o *operated) bulk(path string, body map[string]any) bulkJob {
	o.t.Helper()
	j := do[bulkJob](o, http.MethodPost, path, body)
	o.await("the operation has ended", func() bool {
		for _, other := range do[[]bulkJob](o, http.MethodGet, path, nil) {
			if other.ID == j.ID {
				j = other
			}
		}
		return j.Status != "running"
	})
	return j
}

// instant is a moment that no event shares, as the routes want it.
func instant() string {
	time.Sleep(2 * time.Millisecond)
	now := time.Now().UTC()
	time.Sleep(2 * time.Millisecond)
	return now.Format(time.RFC3339Nano)
}

// scope selects a function's runs.
func scope(fn rawapp.Function, more map[string]any) map[string]any {
	body := map[string]any{"app_id": "operate", "function_id": "operate-" + fn.ID}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// TestOperateCancelBulk cancels waiting runs by function, time and condition. After a
// kill -9 the event that they wait for reaches the others only.
func TestOperateCancelBulk(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	early, tenX, tenY := keys("x-early", 3), keys("x-", 20), keys("y-", 10)
	o.sendAll(fnWait, early...)
	o.await("the first wait", func() bool { return o.calls(fnWait) == 3 })
	from := instant()
	o.sendAll(fnWait, tenX...)
	o.sendAll(fnWait, tenY...)
	o.sendAll(fnNap, "x-nap")
	o.await("all wait", func() bool { return o.calls(fnWait) == 33 && o.function(fnWait).Backlog == 0 })
	until := instant()
	o.sendAll(fnWait, "x-late")
	o.await("the last waits", func() bool { return o.calls(fnWait) == 34 && o.function(fnWait).Backlog == 0 })

	j := o.bulk("/v1/cancellations", scope(fnWait, map[string]any{"started_after": from, "started_before": until, "if": `event.data.key.startsWith("x-")`}))
	if j.Status != "completed" || j.Cancelled != len(tenX) {
		t.Errorf("cancellation: %+v, want %d runs", j, len(tenX))
	}
	o.kill()
	o.request(http.StatusOK, http.MethodPost, "/e/test", map[string]any{"name": "operate/go", "data": map[string]string{}}, nil)
	o.awaitEnds(fnWait, slices.Concat(early, tenY, []string{"x-late"})...)
	o.awaitEnds(fnNap, "x-nap")
	if n := o.runs(fnWait, "CANCELLED"); n != len(tenX) {
		t.Errorf("%d runs are shown as cancelled, want %d", n, len(tenX))
	}
	for _, body := range []map[string]any{
		scope(fnWait, nil), // without a bound
		scope(fnWait, map[string]any{"started_before": until, "if": "event.data.key ="}),
		scope(fnWait, map[string]any{"started_before": until, "iff": "true"}),
		scope(fnWait, map[string]any{"started_before": from, "started_after": until}),
	} {
		o.request(http.StatusBadRequest, http.MethodPost, "/v1/cancellations", body, nil)
	}
	o.request(http.StatusNotFound, http.MethodPost, "/v1/cancellations", scope(rawapp.Function{ID: "nobody"}, map[string]any{"started_before": until}), nil)
}

// runs is the number of runs of a function with a status, as the API shows them.
func (o *operated) runs(fn rawapp.Function, status string) int {
	o.t.Helper()
	return len(do[[]any](o, http.MethodGet, "/v2/apps/operate/functions/"+fn.ID+"/runs?limit=100&status="+status, nil))
}

// TestOperateReplayBulk replays failed runs by function, time and condition: first counted
// only, then run.
func TestOperateReplayBulk(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	o.breakDown(fnWork, true)
	fail := func(keys ...string) {
		before := o.runs(fnWork, "FAILED")
		o.sendAll(fnWork, keys...)
		o.await("they have failed", func() bool { return o.runs(fnWork, "FAILED") == before+len(keys) })
	}
	fail("x-early")
	from := instant()
	fail(append(keys("x-", 6), keys("y-", 3)...)...)
	until := instant()
	fail("x-late")
	o.breakDown(fnWork, false)
	o.sendAll(fnWork, "x-good")
	o.awaitEnds(fnWork, "x-good")
	o.kill()

	body := map[string]any{"from": from, "until": until, "if": `event.data.key.startsWith("x-")`, "per_second": 1000, "dry_run": true}
	if j := o.bulk("/v1/replays", scope(fnWork, body)); j.Status != "completed" || j.Matched != 6 || j.Replayed != 0 {
		t.Errorf("a dry run: %+v, want 6 matched", j)
	}
	o.awaitEnds(fnWork, "x-good")
	body["dry_run"] = false
	if j := o.bulk("/v1/replays", scope(fnWork, body)); j.Status != "completed" || j.Matched != 6 || j.Replayed != 6 || j.Failed+j.Skipped != 0 {
		t.Errorf("replay: %+v, want 6 replayed", j)
	}
	o.awaitEnds(fnWork, append(keys("x-", 6), "x-good")...)

	// Those that ended well, and all that failed: 11, from before and after too.
	all := map[string]any{"from": "2020-01-01T00:00:00Z", "statuses": []string{"FAILED"}, "per_second": 1000}
	if j := o.bulk("/v1/replays", scope(fnWork, all)); j.Matched != 11 || j.Replayed != 11 {
		t.Errorf("replay of all that failed: %+v, want 11", j)
	}
	o.awaitEnds(fnWork, slices.Concat(keys("x-", 6), keys("x-", 6), keys("y-", 3), []string{"x-good", "x-early", "x-late"})...)
	all["limit"] = 2
	if j := o.bulk("/v1/replays", scope(fnWork, all)); j.Replayed != 2 {
		t.Errorf("replay of at most 2: %+v", j)
	}
}
