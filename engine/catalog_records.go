package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
)

// Records of the catalog are JSON with a version: they are few, and read once.
// Keys are a kind byte and the id.
const (
	catalogApp      = 'a'
	catalogFunction = 'f'
	// catalogVersion is the newest version of records that this program knows.
	catalogVersion = 1
)

// appRecord is a stored App.
type appRecord struct {
	V   int `json:"v"`
	App App `json:"app"`
}

// functionRecord is a stored function: its identity, and its configuration, from
// which the typed form is rebuilt.
type functionRecord struct {
	V        int             `json:"v"`
	ID       ids.UUID        `json:"id"`
	AppID    ids.UUID        `json:"app"`
	AppName  string          `json:"appName"`
	Version  int             `json:"fv"`
	Driver   function.Driver `json:"driver"`
	Method   string          `json:"method,omitempty"`
	Archived time.Time       `json:"archived,omitzero"`
	Config   json.RawMessage `json:"config"`
}

func catalogKey(kind byte, id ids.UUID) []byte { return append([]byte{kind}, id[:]...) }

// putApp adds the app's write to b: its record, or its deletion if it is gone.
func putApp(b Batch, s *Snapshot, id ids.UUID) error {
	a := s.Apps[id]
	if a == nil {
		b.Delete(TableApp, catalogKey(catalogApp, id))
		return nil
	}
	value, err := json.Marshal(appRecord{V: catalogVersion, App: *a})
	if err != nil {
		return fmt.Errorf("app %q: %w", a.Name, err)
	}
	b.Put(TableApp, catalogKey(catalogApp, id), value)
	return nil
}

func putFunction(b Batch, s *Snapshot, id ids.UUID) error {
	f := s.ByID[id]
	value, err := json.Marshal(functionRecord{
		V: catalogVersion, ID: f.ID, AppID: f.AppID, AppName: f.AppName, Version: f.Version, Driver: f.Driver,
		Method: f.Method, Archived: s.archived[id], Config: f.Config,
	})
	if err != nil {
		return fmt.Errorf("function %q: %w", f.Slug, err)
	}
	b.Put(TableApp, catalogKey(catalogFunction, id), value)
	return nil
}

// loadCatalog reads all records into s. Functions of older programs whose
// expressions no longer compile are kept without them and reported in the log.
func loadCatalog(ps PartitionStore, s *Snapshot) error {
	var failed error
	err := ps.Scan(TableApp, nil, nil, func(key, value []byte) bool {
		failed = loadCatalogRecord(s, key, value)
		return failed == nil
	})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return failed
}

func loadCatalogRecord(s *Snapshot, key, value []byte) error {
	switch {
	case len(key) == 17 && key[0] == catalogApp:
		var r appRecord
		if err := decodeCatalogRecord(key, value, &r, &r.V); err != nil {
			return err
		}
		s.Apps[r.App.ID] = &r.App
	case len(key) == 17 && key[0] == catalogFunction:
		var r functionRecord
		if err := decodeCatalogRecord(key, value, &r, &r.V); err != nil {
			return err
		}
		id := function.Identity{ID: r.ID, AppID: r.AppID, AppName: r.AppName, Version: r.Version}
		f, err := function.Restore(id, r.Config)
		if f == nil {
			return err //nolint:wrapcheck // names the function
		}
		if err != nil {
			slog.Warn("a stored function is used without the parts that do not compile", "function", f.Slug, "error", err)
		}
		f.Driver, f.Method = r.Driver, r.Method
		s.ByID[r.ID] = f
		if !r.Archived.IsZero() {
			s.archived[r.ID] = r.Archived
		}
	default:
		return fmt.Errorf("catalog record with the unknown key %x", key)
	}
	return nil
}

// decodeCatalogRecord reads a record into out, whose version is v. The version is
// what counts: a newer record may also have another form.
func decodeCatalogRecord(key, value []byte, out any, v *int) error {
	err := json.Unmarshal(value, out)
	if *v > catalogVersion || err == nil && *v < 1 {
		return fmt.Errorf("catalog record %x has version %d, this program knows versions 1 to %d: "+
			"the data directory was written by a newer program", key, *v, catalogVersion)
	}
	if err != nil {
		return fmt.Errorf("catalog record %x: %w", key, err)
	}
	return nil
}
