package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func systemPartition(t testing.TB, s *memstore.Store) engine.PartitionStore {
	t.Helper()
	ps, err := s.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func openCatalog(t testing.TB, s *memstore.Store) *engine.Catalog {
	t.Helper()
	c, err := engine.OpenCatalog(systemPartition(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// registration returns a request of app with one function per name.
func registration(t testing.TB, app string, names ...string) *sdk.RegisterRequest {
	t.Helper()
	functions := []string{}
	for _, n := range names {
		functions = append(functions, fmt.Sprintf(`{"id":"%s-%s","name":"%s","triggers":[{"event":"e/%s","expression":"event.data.n == '%s'"}],
			"steps":{"step":{"id":"step","name":"step","runtime":{"url":"http://127.0.0.1:3000/api?fnId=%s-%s&probe=x"}}}}`, app, n, n, n, n, app, n))
	}
	body := fmt.Sprintf(`{"url":"http://127.0.0.1:3000/api","deployType":"ping","sdk":"js:v4.0.0","appName":"%s","functions":[%s]}`,
		app, strings.Join(functions, ","))
	req := new(sdk.RegisterRequest)
	if err := json.Unmarshal([]byte(body), req); err != nil {
		t.Fatal(err)
	}
	return req
}

func register(t testing.TB, c *engine.Catalog, req *sdk.RegisterRequest) engine.Registration {
	t.Helper()
	r, err := c.Register(req, day)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func slugs(s *engine.Snapshot) []string {
	out := []string{}
	for _, f := range s.Active {
		out = append(out, fmt.Sprintf("%s v%d", f.Slug, f.Version))
	}
	return out
}

func TestCatalogSurvivesRestart(t *testing.T) {
	t.Parallel()
	store := memstore.New(1, memstore.Options{})
	c := openCatalog(t, store)
	reg := register(t, c, registration(t, "app", "b", "a"))
	register(t, c, registration(t, "app", "a", "c")) // archives b
	if _, err := c.UpsertSync(engine.SyncEndpoint{Domain: "https://shop.example", Method: "GET", Path: "/x"}, day); err != nil {
		t.Fatal(err)
	}
	before := c.Snapshot()
	after := openCatalog(t, store).Snapshot()
	want := []string{"GET /x v1", "app-a v2", "app-c v1"}
	if got := slugs(after); !reflect.DeepEqual(got, want) {
		t.Fatalf("active functions %q, want %q", got, want)
	}
	if !reflect.DeepEqual(after.Apps, before.Apps) || len(after.Apps) != 2 {
		t.Errorf("apps %+v, want %+v", after.Apps, before.Apps)
	}
	if len(after.ByID) != 4 || len(after.BySlug) != 3 {
		t.Errorf("%d functions, %d of them by slug", len(after.ByID), len(after.BySlug))
	}
	for id, f := range before.ByID {
		g := after.ByID[id]
		if g.Slug != f.Slug || g.AppName != f.AppName || g.AppID != f.AppID || g.URL != f.URL || g.Driver != f.Driver ||
			g.Method != f.Method || g.Version != f.Version || string(g.Config) != string(f.Config) {
			t.Errorf("function %+v, want %+v", g, f)
		}
		at, archived := after.Archived(id)
		if archived != (f.Slug == "app-b") || archived && !at.Equal(day) {
			t.Errorf("%s: archived %v at %s", f.Slug, archived, at)
		}
	}
	a := after.BySlug["app-a"]
	if a.AppID != reg.AppID || a.Triggers[0].If.Source() != "event.data.n == 'a'" || a.URL != "http://localhost:3000/api?fnId=app-a" {
		t.Errorf("function %+v", a)
	}
	if got := after.Functions(reg.AppID); len(got) != 2 || got[0] != a {
		t.Errorf("the app's functions: %v", got)
	}
}

func TestCatalogRefusesNewerAndUnknownRecords(t *testing.T) {
	t.Parallel()
	id := ids.NewUUID()
	for want, record := range map[string][2]string{
		"written by a newer program":        {"a" + string(id[:]), `{"app":5,"v":2}`},
		"version 0":                         {"f" + string(id[:]), `{}`},
		"invalid character":                 {"a" + string(id[:]), `x`},
		"Go struct field appRecord.app":     {"a" + string(id[:]), `{"v":1,"app":5}`},
		"Go struct field functionRecord.id": {"f" + string(id[:]), `{"v":1,"id":5}`},
		"configuration of function":         {"f" + string(id[:]), `{"v":1,"config":5}`},
		"unknown key":                       {"z", `{"v":1}`},
	} {
		store := memstore.New(1, memstore.Options{})
		ps := systemPartition(t, store)
		b := ps.NewBatch()
		b.Put(engine.TableApp, []byte(record[0]), []byte(record[1]))
		ps.Commit(b, func(error) {})
		if _, err := engine.OpenCatalog(ps); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", record, err, want)
		}
	}
}

// TestCatalogKeepsFunctionsThatNoLongerCompile has a record whose condition a
// former version accepted.
func TestCatalogKeepsFunctionsThatNoLongerCompile(t *testing.T) {
	t.Parallel()
	store := memstore.New(1, memstore.Options{})
	ps := systemPartition(t, store)
	id := ids.NewUUID()
	b := ps.NewBatch()
	b.Put(engine.TableApp, append([]byte{'f'}, id[:]...), []byte(`{"v":1,"id":"`+id.String()+`","app":"`+id.String()+
		`","config":{"slug":"s","triggers":[{"event":"a","expression":"event."},{"event":"b"}],"steps":[]}}`))
	ps.Commit(b, func(error) {})
	f := openCatalog(t, store).Snapshot().BySlug["s"]
	if f == nil || len(f.Triggers) != 1 || f.Triggers[0].Event != "b" {
		t.Errorf("function %+v", f)
	}
}

func TestCatalogSubscribe(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	var mu sync.Mutex
	var seen []uint64
	c.Subscribe(func(s *engine.Snapshot) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s.Generation)
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { register(t, c, registration(t, fmt.Sprint("app", i), "f")) })
	}
	wg.Wait()
	for i, g := range seen {
		if g != uint64(i+1) {
			t.Fatalf("generations %v", seen)
		}
	}
	if len(seen) != 21 || c.Snapshot().Generation != 21 {
		t.Errorf("generations %v", seen)
	}
}

func TestCatalogUpdateIsAtomic(t *testing.T) {
	t.Parallel()
	store := memstore.New(1, memstore.Options{})
	c := openCatalog(t, store)
	register(t, c, registration(t, "app", "f"))
	before := c.Snapshot()
	boom := errors.New("boom")
	err := c.Update(func(tx *engine.Tx) error {
		tx.PutApp(engine.App{ID: ids.NewUUID(), Name: "other"})
		for id := range before.ByID {
			tx.ArchiveFunction(id, day)
		}
		return boom
	})
	if !errors.Is(err, boom) || c.Snapshot() != before {
		t.Errorf("%v, changed %v", err, c.Snapshot() != before)
	}
	if err := c.Update(func(*engine.Tx) error { return nil }); err != nil || c.Snapshot() != before {
		t.Errorf("a change of nothing: %v", err)
	}

	store.Fail(boom)
	_, err = c.Register(registration(t, "app", "f", "g"), day)
	if !errors.Is(err, boom) || c.Snapshot() != before {
		t.Errorf("on a failing disk: %v, changed %v", err, c.Snapshot() != before)
	}
	if err := c.SetAppError(before.Active[0].AppID, "x", day); !errors.Is(err, boom) {
		t.Errorf("after a failing disk: %v", err)
	}
}

func TestRegisterKeepsIDs(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	first := register(t, c, registration(t, "app", "f", "g"))
	f := c.Snapshot().BySlug["app-f"]
	if again := register(t, c, registration(t, "app", "f", "g")); again.Modified || again.AppID != first.AppID {
		t.Errorf("the same again: %+v", again)
	}

	// Renamed and moved: the slug counts.
	req := registration(t, "app", "f")
	req.Functions[0].Name = "renamed"
	for k, s := range req.Functions[0].Steps {
		s.SetURL("https://elsewhere.example:443/api")
		req.Functions[0].Steps[k] = s
	}
	if r := register(t, c, req); !r.Modified {
		t.Error("not modified")
	}
	moved := c.Snapshot().BySlug["app-f"]
	if moved.ID != f.ID || moved.Version != 2 || moved.Name != "renamed" || moved.URL != "https://elsewhere.example/api" {
		t.Errorf("moved %+v", moved)
	}
	if c.Snapshot().BySlug["app-g"] != nil || len(c.Snapshot().ByID) != 2 {
		t.Error("g is still in service, or forgotten")
	}

	// Removed and back: the same ids.
	if found, err := c.RemoveByURL("http://0.0.0.0:3000/api", day); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	if len(c.Snapshot().Active) != 0 || c.Snapshot().Apps[first.AppID].ArchivedAt != day {
		t.Error("the app is still in service")
	}
	if found, err := c.RemoveByURL("http://localhost:3000/api", day); found || err != nil {
		t.Errorf("removed twice: %v, %v", found, err)
	}
	if back := register(t, c, registration(t, "app", "f", "g")); !back.Modified || back.AppID != first.AppID {
		t.Errorf("back: %+v", back)
	}
	if got := slugs(c.Snapshot()); !reflect.DeepEqual(got, []string{"app-f v3", "app-g v2"}) || c.Snapshot().BySlug["app-f"].ID != f.ID {
		t.Errorf("back: %q", got)
	}
}

// TestRegisterSeparatesEqualFunctions has two apps whose functions have the same
// name and URL, from which ids are made.
func TestRegisterSeparatesEqualFunctions(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	for _, app := range []string{"one", "two"} {
		req := registration(t, app, "f", "g")
		for i := range req.Functions {
			req.Functions[i].Name = "same"
			for k, s := range req.Functions[i].Steps {
				s.SetURL("http://x/")
				req.Functions[i].Steps[k] = s
			}
		}
		register(t, c, req)
	}
	if len(c.Snapshot().Active) != 4 {
		t.Errorf("functions %q", slugs(c.Snapshot()))
	}
}

func TestRegisterRefusals(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	good := register(t, c, registration(t, "app", "f"))
	appError := func() string { return c.Snapshot().Apps[good.AppID].Error }

	bad := registration(t, "app", "f", "g", "h")
	bad.Functions[1].Name = ""
	bad.Functions[2].Steps = map[string]sdk.SDKStep{"step": {Name: "step"}}
	_, err := c.Register(bad, day)
	var invalid function.Errors
	const text = "2 errors occurred: * A function name is required * No SDK URL provided for function 'h'"
	if !errors.As(err, &invalid) || err.Error() != text || appError() != text {
		t.Errorf("invalid: %v, stored %q", err, appError())
	}
	generation := c.Snapshot().Generation
	if _, err := c.Register(bad, day.Add(time.Hour)); err == nil || c.Snapshot().Generation != generation {
		t.Errorf("the same bad request wrote again: %v", err)
	}

	blocked := registration(t, "app", "f")
	blocked.SDK = "js:v3.22.0"
	if _, err := c.Register(blocked, day); !errors.Is(err, engine.ErrBlockedSDK) || appError() != engine.AppErrorBlockedSDK {
		t.Errorf("blocked: %v, stored %q", err, appError())
	}
	if len(c.Snapshot().Active) != 1 {
		t.Errorf("functions %q", slugs(c.Snapshot()))
	}

	// A success clears the error even if the request is the last good one.
	if r := register(t, c, registration(t, "app", "f")); !r.Modified || appError() != "" || c.Snapshot().Active[0].Version != 2 {
		t.Errorf("recovered: %+v, stored %q", r, appError())
	}

	if _, err := c.Register(&sdk.RegisterRequest{}, day); !errors.Is(err, engine.ErrNoAppName) {
		t.Errorf("no name: %v", err)
	}
	twice := registration(t, "app", "f", "f")
	for range 2 {
		if _, err := c.Register(twice, day); !errors.Is(err, engine.ErrDuplicateFunction) || len(c.Snapshot().Active) != 1 {
			t.Errorf("duplicate: %v", err)
		}
	}
}

func TestBlockedVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"js:v3.21.9": false, "js:v3.22.0": true, "js:3.40.1": true, "inngest-js:v3.53.1": true, "js:v3.53.2": false,
		"js:v3.40.0-beta.1": true, "js:v4.0.0": false, "go:v3.40.1": false, "js:": false, "js": false, "js:vx.y.z": false,
	} {
		c := openCatalog(t, memstore.New(1, memstore.Options{}))
		req := registration(t, "app")
		req.SDK = version
		if _, err := c.Register(req, day); errors.Is(err, engine.ErrBlockedSDK) != want {
			t.Errorf("%s: %v", version, err)
		}
	}
}
