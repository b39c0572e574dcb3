package engine

import (
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
)

// SyncEndpoint names a user's own HTTP endpoint whose requests are runs (spec 01 §14.1).
type SyncEndpoint struct {
	// Domain has the scheme: "https://shop.example.com".
	Domain string
	Method string
	Path   string
	// Slug names the function; empty means method and path.
	Slug string
}

// SyncAppID is the id of the app behind a domain (spec 01 §14.2).
func SyncAppID(domain string) ids.UUID {
	env, _ := ids.ParseUUID(ids.EnvID)
	return ids.UUIDv5(append(env[:], domain...))
}

// SyncFunctionID is the id of a sync app's function (spec 01 §14.2).
func SyncFunctionID(app ids.UUID, slug string) ids.UUID {
	return ids.UUIDv5(append(app[:], slug...))
}

// UpsertSync makes sure that the app and the function of an endpoint exist, and
// returns the function. It writes only when something is new.
func (c *Catalog) UpsertSync(e SyncEndpoint, now time.Time) (*function.Function, error) {
	def := function.NewSync(e.Domain, e.Method, e.Path, e.Slug)
	appID := SyncAppID(e.Domain)
	id := SyncFunctionID(appID, def.Slug)
	current := func(s *Snapshot) *function.Function {
		f, a := s.ByID[id], s.Apps[appID]
		_, archived := s.Archived(id)
		if f == nil || archived || a == nil || !a.Active() {
			return nil
		}
		return f
	}
	if f := current(c.Snapshot()); f != nil {
		return f, nil
	}
	var out *function.Function
	err := c.Update(func(tx *Tx) error {
		if out = current(tx.next); out != nil {
			return nil // another request was first
		}
		app := App{ID: appID, CreatedAt: now}
		if a := tx.App(appID); a != nil {
			app = *a
		}
		app.Name, app.URL, app.Method, app.UpdatedAt, app.ArchivedAt = e.Domain, e.Domain, MethodAPI, now, time.Time{}
		tx.PutApp(app)
		version := 1
		if old := tx.Function(id); old != nil {
			version = old.Version + 1
		}
		var err error
		out, err = def.BuildSync(function.Identity{ID: id, AppID: appID, AppName: e.Domain, Version: version}, e.Method)
		if err != nil {
			return err //nolint:wrapcheck // names the function
		}
		tx.PutFunction(out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
