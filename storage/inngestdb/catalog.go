package inngestdb

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
)

// ImportCatalog brings the apps and functions into the catalog, with their ids, and notes
// in the database that it has; it does nothing then or without the reference's tables. It
// belongs before the first registration, so that functions keep their ids.
//
// Apps of the catalog win over those of the same id or name. Functions of an app that the
// catalog has become archived ones, so that their old runs keep a name.
func ImportCatalog(ctx context.Context, src Source, catalog *engine.Catalog, log *slog.Logger) error {
	if there, err := Present(ctx, src.DB, src.Dialect); err != nil || !there {
		return err
	}
	places, err := openPositions(ctx, src.DB)
	if err != nil {
		return err
	}
	if _, done, err := places.get(ctx, partCatalog); err != nil || done {
		return err
	}
	im := &catalogImporter{faults: newFaults(log)}
	defer im.faults.report()
	if err := im.read(ctx, src); err != nil {
		return err
	}
	if err := catalog.Update(func(tx *engine.Tx) error {
		im.change(tx)
		return nil
	}); err != nil {
		return failed("catalog", err)
	}
	log.Info("apps and functions of a reference server's database are imported", "apps", len(im.apps), "functions", len(im.functions))
	return places.set(ctx, partCatalog, "", true)
}

// catalogImporter holds what the tables have; they are small.
type catalogImporter struct {
	faults    *faults
	apps      []engine.App
	functions []oldFunction
}

// oldFunction is a row of functions.
type oldFunction struct {
	id, app    ids.UUID
	slug       string
	config     json.RawMessage
	archivedAt time.Time
}

func (im *catalogImporter) read(ctx context.Context, src Source) error {
	apps, err := openTable(ctx, src, "apps")
	if err != nil {
		return err
	}
	functions, err := openTable(ctx, src, "functions")
	if err != nil {
		return err
	}
	err = apps.query(ctx, "id name sdk_language sdk_version framework error checksum created_at archived_at url method app_version metadata",
		"ORDER BY id", nil, func(r row) bool {
			im.app(r)
			return true
		})
	if err != nil {
		return err
	}
	return functions.query(ctx, "id app_id slug config archived_at", "ORDER BY id", nil, func(r row) bool {
		im.function(r)
		return true
	})
}

func (im *catalogImporter) app(r row) {
	a := engine.App{
		ID: r["id"].uuid(), Name: r["name"].text(), URL: r["url"].text(), Checksum: r["checksum"].text(), Error: r["error"].text(),
		SDKLanguage: r["sdk_language"].text(), SDKVersion: r["sdk_version"].text(), Framework: r["framework"].text(),
		AppVersion: r["app_version"].text(), Method: r["method"].text(),
		CreatedAt: moment(r["created_at"]), ArchivedAt: moment(r["archived_at"]),
	}
	if a.ID.IsZero() {
		im.faults.add("apps without an id", a.Name)
		return
	}
	var metadata struct {
		Platform string `json:"platform"`
	}
	if raw, ok := r["metadata"].json(); ok && raw != nil && json.Unmarshal(raw, &metadata) == nil {
		a.Platform = metadata.Platform
	}
	switch a.Method {
	case engine.MethodConnect, engine.MethodAPI:
	default:
		a.Method = engine.MethodServe
	}
	a.UpdatedAt = a.CreatedAt
	if !a.ArchivedAt.IsZero() {
		a.UpdatedAt = a.ArchivedAt
	}
	im.apps = append(im.apps, a)
}

func (im *catalogImporter) function(r row) {
	f := oldFunction{id: r["id"].uuid(), app: r["app_id"].uuid(), slug: r["slug"].text(), archivedAt: moment(r["archived_at"])}
	config, ok := r["config"].json()
	if f.id.IsZero() || !ok || config == nil {
		im.faults.add("functions without an id or a configuration", f.slug)
		return
	}
	f.config = config
	im.functions = append(im.functions, f)
}

// moment is a time that the catalog keeps; the zero time if there is none.
func moment(v value) time.Time {
	if ns := v.time(); ns != 0 {
		return time.Unix(0, ns).UTC()
	}
	return time.Time{}
}

// change adds what the catalog does not have.
func (im *catalogImporter) change(tx *engine.Tx) {
	now := time.Now()
	// homes are the apps by their ids in the tables; known are those of before.
	homes := map[ids.UUID]engine.App{}
	known := map[ids.UUID]bool{}
	for _, a := range im.apps {
		old := tx.App(a.ID)
		if old == nil && a.Name != "" {
			old = tx.AppByName(a.Name)
		}
		if old != nil {
			homes[a.ID], known[a.ID] = *old, true
			continue
		}
		homes[a.ID] = a
		tx.PutApp(a)
	}
	for _, f := range im.functions {
		app, ok := homes[f.app]
		switch {
		case !ok:
			im.faults.add("functions without an app", f.slug)
		case tx.Function(f.id) != nil:
		default:
			switch {
			case !f.archivedAt.IsZero():
			case known[f.app]:
				f.archivedAt = now
			default:
				f.archivedAt = app.ArchivedAt
			}
			im.put(tx, &app, &f)
		}
	}
}

// put adds one function.
func (im *catalogImporter) put(tx *engine.Tx, app *engine.App, old *oldFunction) {
	var version struct {
		V int `json:"fv"`
	}
	// What is wrong with the configuration, Restore says.
	_ = json.Unmarshal(old.config, &version)
	f, err := function.Restore(function.Identity{ID: old.id, AppID: app.ID, AppName: app.Name, Version: version.V}, old.config)
	if err != nil {
		im.faults.add("configurations of functions", err.Error())
	}
	if f == nil {
		return
	}
	if app.Method == engine.MethodAPI {
		f.Driver, f.Method = function.DriverSync, http.MethodPost
		if method, _, ok := strings.Cut(f.Slug, " "); ok && method == strings.ToUpper(method) {
			f.Method = method // slugs are "GET /path" unless the user gave another
		}
	}
	tx.PutFunction(f)
	if !old.archivedAt.IsZero() {
		tx.ArchiveFunction(f.ID, old.archivedAt)
	}
}
