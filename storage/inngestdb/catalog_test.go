package inngestdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"
	"ingot/storage/memstore"
)

func openCatalog(t *testing.T) *engine.Catalog {
	t.Helper()
	ps, err := memstore.New(1, memstore.Options{}).Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.OpenCatalog(ps)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contents describes a catalog.
func contents(c *engine.Catalog) string {
	s := c.Snapshot()
	var lines []string
	for _, a := range s.Apps {
		lines = append(lines, fmt.Sprintf("app %s %s %s %s %s active=%v", a.Name, a.URL, a.Method, a.SDKVersion, a.Error, a.Active()))
	}
	for id, f := range s.ByID {
		_, gone := s.Archived(id)
		lines = append(lines, fmt.Sprintf("function %s of %s v%d driver=%d %s active=%v triggers=%d", f.Slug, f.AppName, f.Version, f.Driver, f.Method, !gone, len(f.Triggers)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func appRow(name string, more map[string]any) map[string]any {
	r := map[string]any{
		"id": ids.UUIDv5([]byte(name)).String(), "name": name, "sdk_language": "js", "sdk_version": "v4", "metadata": `{"platform":"vercel"}`,
		"status": "", "checksum": "c", "created_at": "2026-11-22 01:23:58", "url": "http://" + name + "/", "method": "serve",
	}
	maps.Copy(r, more)
	return r
}

func functionRow(app, slug string, more map[string]any) map[string]any {
	r := map[string]any{
		"id": ids.UUIDv5([]byte(slug)).String(), "app_id": ids.UUIDv5([]byte(app)).String(), "name": slug, "slug": slug,
		"config": fmt.Sprintf(`{"id":"x","fv":3,"name":%q,"slug":%q,"triggers":[{"event":"t/a"}],"steps":[{"id":"step","name":"step","uri":"http://%s/?fnId=x\u0026stepId=step"}]}`,
			slug, slug, app),
		"created_at": "2026-11-22 01:23:58",
	}
	maps.Copy(r, more)
	return r
}

// TestRecordedCatalog: functions keep their ids, and registering again changes nothing.
func TestRecordedCatalog(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.load("finished-run")
		c := openCatalog(t)
		if err := ImportCatalog(t.Context(), w.src, c, w.log()); err != nil {
			t.Fatal(err)
		}
		f := c.Snapshot().BySlug["golden-finished-run-a"]
		if f == nil || f.ID.String() != "5233ea4f-7fdb-5644-ab9c-efcb84ac3063" || f.AppID.String() != "08927177-7b8a-51ba-95be-9e0584f90103" ||
			f.MaxAttempts != 1 || f.URL != "http://localhost:9620/api/inngest/finished-run?fnId=golden-finished-run-a&stepId=step" {
			t.Fatalf("function %+v", f)
		}
		a := c.Snapshot().Apps[f.AppID]
		if a == nil || !a.CreatedAt.Equal(time.Date(2026, 11, 22, 1, 23, 58, 0, time.UTC)) || a.SDKVersion != "v4.24.0" || a.Framework != "golden" {
			t.Errorf("app %+v", a)
		}
		w.exec("DELETE FROM functions")
		w.insert("functions", functionRow("golden-finished-run", "later", map[string]any{"app_id": f.AppID.String()}))
		if err := ImportCatalog(t.Context(), w.src, c, w.log()); err != nil || len(c.Snapshot().ByID) != 1 {
			t.Errorf("a second import brings %d functions, %v", len(c.Snapshot().ByID), err)
		}
	})
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.insert("apps", appRow("shop", nil))
		w.insert("apps", appRow("gone", map[string]any{"archived_at": text(epoch)}))
		w.insert("apps", appRow("worker", map[string]any{"method": "connect", "url": ""}))
		w.insert("apps", appRow("api.example.com", map[string]any{"method": "api"}))
		w.insert("apps", appRow("mine", map[string]any{"id": ids.UUIDv5([]byte("elsewhere")).String()}))
		w.insert("apps", appRow("nobody", map[string]any{"id": "no id"}))
		w.insert("functions", functionRow("shop", "shop-a", nil))
		w.insert("functions", functionRow("shop", "shop-old", map[string]any{"archived_at": text(epoch)}))
		w.insert("functions", functionRow("gone", "gone-a", nil))
		w.insert("functions", functionRow("worker", "worker-a", map[string]any{
			"config": `{"fv":1,"slug":"worker-a","triggers":[{"event":"t/a","expression":"1 +"}],"steps":[{"uri":"wss://x"}]}`,
		}))
		w.insert("functions", functionRow("api.example.com", "GET /orders", nil))
		w.insert("functions", functionRow("api.example.com", "named", nil))
		w.insert("functions", functionRow("elsewhere", "mine-a", nil))
		w.insert("functions", functionRow("elsewhere", "mine-old", nil))
		w.insert("functions", functionRow("absent", "absent-a", nil))
		w.insert("functions", functionRow("shop", "shop-broken", map[string]any{"config": "{"}))
		w.insert("functions", functionRow("shop", "shop-odd", map[string]any{"config": "[1]"}))
		c := openCatalog(t)
		// This app has registered already, with another id than in the database.
		req := &sdk.RegisterRequest{AppName: "mine", URL: "http://new/", SDK: "js:v4", Functions: []sdk.SDKFunction{{
			Name: "mine-a", Slug: "mine-a", Triggers: []sdk.Trigger{{Event: new("t/a")}},
			Steps: map[string]sdk.SDKStep{"step": {ID: "step", Name: "step", Runtime: map[string]any{"url": "http://new/?fnId=mine-a&stepId=step"}}},
		}}}
		if _, err := c.Register(req, time.UnixMilli(epoch)); err != nil {
			t.Fatal(err)
		}
		if err := ImportCatalog(t.Context(), w.src, c, w.log()); err != nil {
			t.Fatal(err)
		}
		expect(t, "catalog", contents(c))
		if f := c.Snapshot().BySlug["mine-a"]; f == nil || f.ID == ids.UUIDv5([]byte("mine-a")) {
			t.Errorf("the function that has registered is replaced: %+v", f)
		}
		if f := c.Snapshot().BySlug["worker-a"]; f == nil || f.Driver != function.DriverConnect {
			t.Errorf("function of a worker: %+v", f)
		}
		for _, kind := range []string{
			`"apps without an id" count=1`, `"functions without an app" count=1`, `"functions without an id or a configuration" count=1`,
			`"configurations of functions" count=2`,
		} {
			if !strings.Contains(w.logs.String(), kind) {
				t.Errorf("the log does not have %s:\n%s", kind, w.logs)
			}
		}
	})
}
