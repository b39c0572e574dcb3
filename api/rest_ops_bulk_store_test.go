package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// lastingOperator knows replays by their names, as the engine does, over restarts of the
// server. After some it makes everybody wait; -1 lets all pass.
type lastingOperator struct {
	fakeOperator
	mu      sync.Mutex
	after   int
	made    map[ulid.ULID]int
	refused int
}

func (o *lastingOperator) Replay(ctx context.Context, r *engine.Replay) error {
	o.mu.Lock()
	if o.after >= 0 && len(o.made) >= o.after {
		o.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	defer o.mu.Unlock()
	if o.made[r.Once] > 0 {
		o.refused++
		return fmt.Errorf("again: %w", engine.ErrRunExists)
	}
	o.made[r.Once]++
	return nil
}

// release lets all replays pass from now on.
func (o *lastingOperator) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.after = -1
}

func (o *lastingOperator) count() (made, refused int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.made), o.refused
}

// restarted closes a server and starts another one with the same catalog and history.
func restarted(t *testing.T, s *Server, o Operator, log *slog.Logger) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opsPatience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	next := NewServer(Options{Mode: ModeDev, Engine: &fakeEngine{}, Catalog: s.opts.Catalog, History: s.opts.History, Operator: o, Logger: log})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), opsPatience)
		defer cancel()
		if err := next.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return next
}

func awaitBulk(t *testing.T, s *Server, path string) (v bulkView) {
	t.Helper()
	v = bulkCall(t, s, "GET", path, "")
	for end := time.Now().Add(opsPatience); v.Data.Status == "running"; time.Sleep(5 * time.Millisecond) {
		v = bulkCall(t, s, "GET", path, "")
		if time.Now().After(end) {
			t.Fatalf("%s does not end: %+v", path, v)
		}
	}
	return v
}

// TestReplayGoesOn: a replay that a restart interrupts goes on after it, replays no run
// twice and counts each once.
func TestReplayGoesOn(t *testing.T) {
	t.Parallel()
	const runs, before = 2*replayPage + 1, replayPage + 30
	o := &lastingOperator{made: map[ulid.ULID]int{}, after: before}
	first := restServer(t, &fakeHistory{}, nil)
	replayHistory(first)
	s := restarted(t, first, o, nil)
	v := bulkCall(t, s, "POST", "/v1/replays", fmt.Sprintf(replayBody, ""))
	for end := time.Now().Add(opsPatience); ; time.Sleep(time.Millisecond) {
		if n, _ := o.count(); n == before {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not begin")
		}
	}
	if got := bulkCall(t, s, "GET", "/v1/replays/"+v.Data.ID, ""); got.Data.Status != "running" || got.Data.Replayed > before {
		t.Errorf("%+v", got)
	}
	s = restarted(t, s, o, nil) // once more, without anything done
	o.release()
	s = restarted(t, s, o, nil)
	got := awaitBulk(t, s, "/v1/replays/"+v.Data.ID)
	if got.Data.Status != "completed" || got.Data.Matched != runs || got.Data.Replayed != runs || got.Data.Failed != 0 {
		t.Errorf("%+v", got)
	}
	if made, refused := o.count(); made != runs || refused == 0 {
		t.Errorf("%d replays, %d refused because they had been made", made, refused)
	}
	// One that has ended is remembered, and does not begin again.
	s = restarted(t, s, o, nil)
	if again := bulkCall(t, s, "GET", "/v1/replays/"+v.Data.ID, ""); again != got {
		t.Errorf("%+v, before the restart %+v", again, got)
	}
	expectStatus(t, sdkCall(s, "DELETE", "/v1/replays/"+v.Data.ID, "").StatusCode(), 204)
	s = restarted(t, s, o, nil)
	expectStatus(t, sdkCall(s, "GET", "/v1/replays/"+v.Data.ID, "").StatusCode(), 404)
}

// TestCancellationGoesOn: it is given to the engine again under the same name, with the
// same bounds.
func TestCancellationGoesOn(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{block: true}
	s := restServer(t, &fakeHistory{}, o)
	body := strings.Replace(cancelBody, "1970-01-01T00:00:02.5Z", "2999-01-01T00:00:00Z", 1)
	asked := time.Now().UnixMilli()
	v := bulkCall(t, s, "POST", "/v1/cancellations", body)
	if v.Data.Status != "running" {
		t.Fatalf("%+v", v)
	}
	answered := time.Now().UnixMilli()
	open := &fakeOperator{}
	s = restarted(t, s, open, nil)
	if got := awaitBulk(t, s, "/v1/cancellations/"+v.Data.ID); got.Data.Status != "completed" || got.Data.Cancelled != 3 {
		t.Errorf("%+v", got)
	}
	b := open.bulks[0]
	if b.ID.String() != v.Data.ID || b.After != 1000 || b.Before <= asked || b.Before > answered+1 || b.If != "true" || b.Progress == nil {
		t.Errorf("%+v, asked for at %d", b, asked)
	}
}

// TestStoppedReplay: what an operator has stopped does not go on.
func TestStoppedReplay(t *testing.T) {
	t.Parallel()
	s := restServer(t, &fakeHistory{}, &fakeOperator{block: true})
	replayHistory(s)
	v := bulkCall(t, s, "POST", "/v1/replays", fmt.Sprintf(replayBody, ""))
	bulkCall(t, s, "DELETE", "/v1/replays/"+v.Data.ID, "")
	o := &fakeOperator{}
	s = restarted(t, s, o, nil)
	if got := bulkCall(t, s, "GET", "/v1/replays/"+v.Data.ID, ""); got.Data.Status != "cancelled" || len(o.replays) > 0 {
		t.Errorf("%+v, %d replays", got, len(o.replays))
	}
}

// TestStoredBulk: what is too old fails, and what cannot be read is left alone.
func TestStoredBulk(t *testing.T) {
	t.Parallel()
	first := restServer(t, &fakeHistory{}, nil)
	old := time.Now().Add(-bulkTime - time.Second).UTC()
	tooOld := ids.New(old.UnixMilli())
	save := func(id ulid.ULID, record any) {
		t.Helper()
		raw, err := json.Marshal(record)
		if err == nil {
			err = first.opts.Catalog.SaveJob(id, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	from := old
	save(tooOld, bulkRecord[replayJSON]{
		V: bulkVersion, Kind: "replay", Head: bulkHead{ID: tooOld, Status: bulkRunning, CreatedAt: old},
		View: replayJSON{From: &from, Until: old.Add(time.Second), Limit: 1, PerSecond: 1},
	})
	save(ids.New(1), bulkRecord[replayJSON]{V: bulkVersion + 1, Kind: "replay"})
	save(ids.New(2), bulkRecord[replayJSON]{V: bulkVersion, Kind: "dance"})
	save(ids.New(3), "no object")
	var log bytes.Buffer
	s := restarted(t, first, &fakeOperator{block: true}, slog.New(slog.NewTextHandler(&log, nil)))
	if v := awaitBulk(t, s, "/v1/replays/"+tooOld.String()); v.Data.Status != "failed" {
		t.Errorf("%+v", v)
	}
	if got := string(sdkCall(s, "GET", "/v1/replays/"+tooOld.String(), "").Body()); !strings.Contains(got, "it has not ended within 24h0m0s") {
		t.Error(got)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "cannot be read; it does not go on"); n != 3 {
		t.Errorf("%d records cannot be read\n%s", n, log.String())
	}
	stored := 0
	if err := s.opts.Catalog.Jobs(func(ulid.ULID, []byte) { stored++ }); err != nil || stored != 4 {
		t.Errorf("%d records are stored, %v", stored, err)
	}
}
