package gql

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"
	"ingot/storage/history"
	"ingot/storage/memstore"

	"github.com/oklog/ulid/v2"
)

// rig is a server over fakes.
type rig struct {
	t       *testing.T
	s       *Server
	cat     *engine.Catalog
	history *fakeHistory
	engine  *fakeEngine
	sent    []*event.Event
	synced  []string
	// problem is what apps answer that are asked to sync.
	problem string
	base    int64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	store := memstore.New(1, memstore.Options{})
	t.Cleanup(func() { _ = store.Close() })
	sys, err := store.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, history: newFake(), base: time.Now().Add(-30 * time.Minute).UnixMilli()}
	if r.cat, err = engine.OpenCatalog(sys); err != nil {
		t.Fatal(err)
	}
	r.engine = &fakeEngine{history: r.history, modes: map[ids.UUID]engine.FunctionMode{}}
	r.register("shop", `{"id":"shop-pay","name":"pay","triggers":[{"event":"shop/order"},{"event":"shop/*","expression":"event.data.n > 100"}],`+
		`"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://app/x?fnId=shop-pay"},"retries":{"attempts":2}}},`+
		`"concurrency":[{"limit":3},{"limit":7,"key":"event.data.k","scope":"env"}],"throttle":{"limit":5,"period":"60s","burst":2},"debounce":{"period":"5s","key":"event.data.k"},`+
		`"rateLimit":{"limit":9,"period":"1h"},"priority":{"run":"10"},"cancel":[{"event":"shop/stop","if":"async.data.n == event.data.n","timeout":"1h"}]}`)
	r.s, err = New(Options{
		Catalog: r.cat, Engine: r.engine, Operator: r.engine, History: r.history,
		Send:    func(_ context.Context, e *event.Event) error { r.sent = append(r.sent, e); return r.engine.err },
		SyncApp: func(_ context.Context, url string) string { r.synced = append(r.synced, url); return r.problem },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// register registers an app with functions given as JSON.
func (r *rig) register(app string, functions ...string) {
	r.t.Helper()
	var req sdk.RegisterRequest
	body := fmt.Sprintf(`{"url":"http://app/%s","appName":%q,"sdk":"js:v4.0.0","framework":"test","functions":[%s]}`, app, app, strings.Join(functions, ","))
	if err := json.Unmarshal([]byte(body), &req); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.cat.Register(&req, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) fn(slug string) ids.UUID {
	r.t.Helper()
	f := r.cat.Snapshot().BySlug[slug]
	if f == nil {
		r.t.Fatalf("no function %s", slug)
	}
	return f.ID
}

// id is the n-th id of a kind; ids of a kind are in the order of n, a second apart.
func (r *rig) id(kind byte, n int) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(uint64(r.base + int64(n)*1000))
	id[14], id[15] = kind, 1
	return id
}

// populate makes n events, each of which started a run; every third goes on, every third
// has failed. All runs have invoked one another, and all but the first were deferred by it.
func (r *rig) populate(n int) {
	fn := r.fn("shop-pay")
	for i := range n {
		e := history.Event{ID: r.id('e', i), Name: "shop/order", TS: r.base + int64(i)*1000, Data: []byte(fmt.Sprintf(`{"n":%d}`, i))}
		if i > 0 {
			e.Data = []byte(fmt.Sprintf(`{"n":%d,"_inngest":{"parent_run_id":%q}}`, i, r.id('r', 0)))
		}
		e.ReceivedAt = e.TS
		run := history.Run{
			ID: r.id('r', i), Function: fn, Status: history.Running, QueuedAt: e.TS, StartedAt: e.TS + 1, Events: []ulid.ULID{e.ID}, Deferred: i > 0,
		}
		records := []engine.Lifecycle{
			{Kind: engine.RunScheduled, At: e.TS, Events: run.Events},
			{Kind: engine.RunStarted, At: e.TS + 1},
			{Kind: engine.CallStarted, At: e.TS + 1, Job: 1, Flags: engine.FlagDiscovery},
			{Kind: engine.CallEnded, At: e.TS + 2, Job: 1, Started: e.TS + 1, Duration: 1e6, Status: 206, Count: 3},
			{Kind: engine.StepCompleted, At: e.TS + 2, Job: 1, Op: engine.OpStepRun, Step: "aa", Name: "one", Payload: []byte(fmt.Sprintf(`{"data":{"i":%d}}`, i))},
			{Kind: engine.StepInvoking, At: e.TS + 2, Op: engine.OpInvokeFunction, Step: "bb", Name: "call", Target: "shop-pay", Child: r.id('e', (i+1)%n), Due: e.TS + 9000},
			{Kind: engine.DeferAdded, At: e.TS + 2, Step: "cc", Name: "later", Target: "shop-pay"},
		}
		switch end := e.TS + int64(500+i%2*3000); i % 3 {
		case 1:
			run.Status, run.EndedAt, run.Output = history.Completed, end, []byte(fmt.Sprintf(`{"done":%d}`, i))
			records = append(records, engine.Lifecycle{Kind: engine.RunCompleted, At: end, Payload: run.Output})
		case 2:
			run.Status, run.EndedAt, run.Output = history.Failed, end, []byte(`{"message":"bad","name":"E"}`)
			records = append(records, engine.Lifecycle{Kind: engine.RunFailed, At: end, Payload: run.Output})
		}
		for k := range records {
			records[k].Run, records[k].Fn = run.ID, fn
		}
		r.history.events = append(r.history.events, e)
		r.history.runs = append(r.history.runs, run)
		r.history.traces[run.ID] = records
	}
}

// post sends a query with variables and returns the status and the body.
func (r *rig) post(query string, variables map[string]any) (int, string) {
	r.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.s.Post(context.Background(), "application/json", body, Values{})
	if !json.Valid(a.Body) {
		r.t.Fatalf("not JSON: %s", a.Body)
	}
	return a.Status, string(a.Body)
}

// data sends a query, which must succeed, and decodes its data.
func (r *rig) data(to any, query string, variables map[string]any) {
	r.t.Helper()
	status, body := r.post(query, variables)
	answer := struct {
		Errors []json.RawMessage
		Data   any
	}{Data: to}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		r.t.Fatalf("%v in %s", err, body)
	}
	if status != 200 || answer.Errors != nil {
		r.t.Fatalf("%s: %d %s", query, status, body)
	}
}

// from is a time before all that populate makes.
func (r *rig) from() string { return time.UnixMilli(r.base - 1000).UTC().Format(time.RFC3339Nano) }
