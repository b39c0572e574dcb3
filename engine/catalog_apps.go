package engine

import (
	"time"

	"ingot/internal/ids"
)

// RemoveByURL archives the apps that have the URL, with their functions, and
// forgets placeholders of it. found is false if there is none.
func (c *Catalog) RemoveByURL(url string, now time.Time) (found bool, err error) {
	url = NormalizeURL(url)
	err = c.Update(func(tx *Tx) error {
		tx.Apps(func(a *App) bool {
			if !a.Active() || a.Method == MethodAPI || a.URL != url {
				return true
			}
			found = true
			if a.Name == "" {
				tx.DeleteApp(a.ID)
			} else {
				tx.ArchiveApp(a.ID, now)
			}
			return true
		})
		return nil
	})
	return found, err
}

// AddPlaceholder keeps a URL that has not synced yet, so that it is shown with
// its error and asked again. It does nothing if an app has the URL.
func (c *Catalog) AddPlaceholder(url, problem string, discovered bool, now time.Time) error {
	return c.Update(func(tx *Tx) error {
		known := false
		tx.Apps(func(a *App) bool {
			known = known || a.Active() && a.URL == url
			return !known
		})
		if !known {
			tx.PutApp(App{
				ID: ids.UUIDv5([]byte(url)), URL: url, Method: MethodServe, Error: problem,
				Discovered: discovered, CreatedAt: now, UpdatedAt: now,
			})
		}
		return nil
	})
}

// SetAppError stores what came of asking an app to sync. It writes only if that
// is new, and never brings an app back that was removed meanwhile.
func (c *Catalog) SetAppError(app ids.UUID, problem string, now time.Time) error {
	if a := c.Snapshot().Apps[app]; a == nil || a.Error == problem {
		return nil
	}
	return c.Update(func(tx *Tx) error {
		a := tx.App(app)
		if a == nil || !a.Active() || a.Error == problem {
			return nil
		}
		next := *a
		next.Error, next.UpdatedAt = problem, now
		tx.PutApp(next)
		return nil
	})
}
