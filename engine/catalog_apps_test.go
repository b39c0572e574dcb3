package engine_test

import (
	"sync"
	"testing"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	add := func(url string) {
		if err := c.AddPlaceholder(url, engine.AppErrorUnreachable, true, day); err != nil {
			t.Fatal(err)
		}
	}
	add("http://localhost:3000/api")
	add("http://localhost:3000/api")
	add("http://localhost:4000/api")
	if n := len(c.Snapshot().Apps); n != 2 {
		t.Fatalf("%d apps", n)
	}
	reg := register(t, c, registration(t, "app", "f"))
	a := c.Snapshot().Apps[reg.AppID]
	if len(c.Snapshot().Apps) != 2 || !a.Discovered || a.URL != "http://localhost:3000/api" {
		t.Errorf("apps %+v", c.Snapshot().Apps)
	}
	add("http://localhost:3000/api")
	if len(c.Snapshot().Apps) != 2 {
		t.Error("a placeholder beside its app")
	}
	if found, err := c.RemoveByURL("http://127.0.0.1:4000/api?probe=1", day); !found || err != nil || len(c.Snapshot().Apps) != 1 {
		t.Errorf("found %v, %v", found, err)
	}

	set := func(problem string, want uint64) {
		t.Helper()
		generation := c.Snapshot().Generation
		if err := c.SetAppError(reg.AppID, problem, day); err != nil || c.Snapshot().Generation-generation != want {
			t.Errorf("%q: %v, %d writes", problem, err, c.Snapshot().Generation-generation)
		}
	}
	set("unreachable", 1)
	set("unreachable", 0)
	set("", 1)
	if _, err := c.RemoveByURL("http://localhost:3000/api", day); err != nil {
		t.Fatal(err)
	}
	set("unreachable", 0)
	if err := c.SetAppError(ids.NewUUID(), "x", day); err != nil {
		t.Errorf("no such app: %v", err)
	}
}

func TestUpsertSync(t *testing.T) {
	t.Parallel()
	c := openCatalog(t, memstore.New(1, memstore.Options{}))
	endpoint := engine.SyncEndpoint{Domain: "https://shop.example", Method: "POST", Path: "/orders"}
	upsert := func(e engine.SyncEndpoint) *function.Function {
		t.Helper()
		f, err := c.UpsertSync(e, day)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := upsert(endpoint)
	app := c.Snapshot().Apps[f.AppID]
	if f.ID != engine.SyncFunctionID(engine.SyncAppID("https://shop.example"), "POST /orders") || f.Driver != function.DriverSync ||
		f.Method != "POST" || app.Method != engine.MethodAPI || app.Name != "https://shop.example" {
		t.Errorf("function %+v of app %+v", f, app)
	}
	if upsert(endpoint) != f || c.Snapshot().Generation != 2 {
		t.Error("the same endpoint wrote again")
	}
	endpoint.Slug = "named"
	if g := upsert(endpoint); g.Slug != "named" || g.AppID != f.AppID || g.ID == f.ID {
		t.Errorf("named %+v", g)
	}
	// Such apps are not reached by the registration's removal.
	if found, err := c.RemoveByURL("https://shop.example", day); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if err := c.Update(func(tx *engine.Tx) error { tx.ArchiveApp(f.AppID, day); return nil }); err != nil {
		t.Fatal(err)
	}
	endpoint.Slug = ""
	if g := upsert(endpoint); g.Version != 2 || g.ID != f.ID || len(c.Snapshot().Active) != 1 {
		t.Errorf("back %+v", g)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { upsert(engine.SyncEndpoint{Domain: "https://other.example", Method: "GET", Path: "/"}) })
	}
	wg.Wait()
	if g := c.Snapshot().BySlug["GET /"]; g == nil || g.Version != 1 {
		t.Errorf("at the same time: %+v", g)
	}
}

func TestNormalizeURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://127.0.0.1:3000/x":               "http://localhost:3000/x",
		"http://0.0.0.0:3000/x":                 "http://localhost:3000/x",
		"http://localhost:3000/x":               "http://localhost:3000/x",
		"http://127.0.0.1/x":                    "http://127.0.0.1/x",
		"http://127.0.0.1:80/x":                 "http://127.0.0.1/x",
		"https://a.example:443/x":               "https://a.example/x",
		"https://a.example:80/x":                "https://a.example:80/x",
		"http://[::1]:80/x":                     "http://[::1]/x",
		"http://a/x?z=1&deployId=d&a=2&probe=p": "http://a/x?a=2&z=1",
		"http://a/x?probe=p":                    "http://a/x",
		"not a url":                             "not%20a%20url",
		"":                                      "",
		"http://[::1":                           "http://[::1",
		"ws://connect?app_name=a":               "ws://connect?app_name=a",
	} {
		if got := engine.NormalizeURL(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"localhost:3000/api": "http://localhost:3000/api", "127.0.0.1:3000": "http://localhost:3000", "https://x": "https://x",
	} {
		if got := engine.NormalizeUserURL(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
