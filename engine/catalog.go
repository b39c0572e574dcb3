package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
)

// Methods by which an app is reached.
const (
	MethodServe   = "serve"
	MethodConnect = "connect"
	MethodAPI     = "api"
)

// App is one registered SDK app, or a placeholder for a URL that has not synced yet.
type App struct {
	ID          ids.UUID
	Name        string
	URL         string
	SDKLanguage string
	SDKVersion  string
	Framework   string
	Platform    string
	AppVersion  string
	Checksum    string
	// Method is how the app is reached: "serve", "connect" or "api".
	Method string
	// Error is the app's stored error; empty if none (spec 01 §5.11).
	Error string
	// Discovered says that a scan of the local ports found the app.
	Discovered bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// ArchivedAt is the zero time while the app is active.
	ArchivedAt time.Time
}

// Active reports whether the app has not been removed.
func (a *App) Active() bool { return a.ArchivedAt.IsZero() }

// Snapshot is one immutable state of the catalog.
type Snapshot struct {
	// Generation rises with each change, and starts at 1 with each opening.
	Generation uint64
	// Apps also has the archived ones.
	Apps map[ids.UUID]*App
	// Active are the functions that can be started, ordered by slug.
	Active []*function.Function
	// ByID also has the archived functions: their running runs continue.
	ByID map[ids.UUID]*function.Function
	// BySlug has the active functions. Slugs begin with the app's name by
	// convention only: of two apps with one slug the last by name is found.
	BySlug map[string]*function.Function

	// archived holds when a function that is not active was archived.
	archived map[ids.UUID]time.Time
}

// Archived reports when the function was archived; ok is false if it is active.
func (s *Snapshot) Archived(id ids.UUID) (at time.Time, ok bool) {
	at, ok = s.archived[id]
	return at, ok
}

// Functions returns an app's active functions in the order of Active.
func (s *Snapshot) Functions(app ids.UUID) []*function.Function {
	var out []*function.Function
	for _, f := range s.Active {
		if f.AppID == app {
			out = append(out, f)
		}
	}
	return out
}

// index rebuilds what follows from the other fields.
func (s *Snapshot) index() {
	s.Active = make([]*function.Function, 0, len(s.ByID)-len(s.archived))
	for id, f := range s.ByID {
		if _, gone := s.archived[id]; !gone {
			s.Active = append(s.Active, f)
		}
	}
	slices.SortFunc(s.Active, func(a, b *function.Function) int {
		return cmp.Or(strings.Compare(a.Slug, b.Slug), strings.Compare(a.AppName, b.AppName))
	})
	s.BySlug = make(map[string]*function.Function, len(s.Active))
	for _, f := range s.Active {
		s.BySlug[f.Slug] = f
	}
}

// Catalog holds the registered apps and functions: durable, read by snapshot,
// changed by one writer at a time.
type Catalog struct {
	current atomic.Pointer[Snapshot]

	// mu serialises writers and subscribers' calls, and guards what follows.
	mu          sync.Mutex
	store       PartitionStore
	subscribers []func(*Snapshot)
	// failed is set once a commit failed: memory may then be ahead of the disk.
	failed error
}

// OpenCatalog loads the catalog from the store's system partition. ps must not be
// used by anyone else for TableApp.
func OpenCatalog(ps PartitionStore) (*Catalog, error) {
	s := &Snapshot{
		Generation: 1,
		Apps:       map[ids.UUID]*App{},
		ByID:       map[ids.UUID]*function.Function{},
		archived:   map[ids.UUID]time.Time{},
	}
	if err := loadCatalog(ps, s); err != nil {
		return nil, fmt.Errorf("load the catalog: %w", err)
	}
	s.index()
	c := &Catalog{store: ps}
	c.current.Store(s)
	return c, nil
}

// Snapshot returns the current state. It never blocks.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// Subscribe calls fn with the current snapshot and after each change, in order.
// fn must be quick and must not change the catalog.
func (c *Catalog) Subscribe(fn func(*Snapshot)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers, fn)
	fn(c.current.Load())
}

// Update changes the catalog. change works on a private copy; when it returns
// nil, its writes become durable, then visible, all at once. When it returns an
// error nothing changes. Calls wait for each other.
func (c *Catalog) Update(change func(*Tx) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	tx := newTx(c.current.Load())
	if err := change(tx); err != nil {
		return err
	}
	if len(tx.dirtyApps) == 0 && len(tx.dirtyFns) == 0 {
		return nil
	}
	if err := c.commit(tx); err != nil {
		c.failed = fmt.Errorf("save the catalog: %w", err)
		return c.failed
	}
	tx.next.Generation++
	tx.next.index()
	c.current.Store(tx.next)
	for _, fn := range c.subscribers {
		fn(tx.next)
	}
	return nil
}

// commit writes what the transaction touched and waits until it is durable.
func (c *Catalog) commit(tx *Tx) error {
	batch := c.store.NewBatch()
	for id := range tx.dirtyApps {
		if err := putApp(batch, tx.next, id); err != nil {
			return err
		}
	}
	for id := range tx.dirtyFns {
		if err := putFunction(batch, tx.next, id); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	c.store.Commit(batch, func(err error) { done <- err })
	return <-done
}

// Tx is a change of the catalog in progress. It is valid only during Update.
type Tx struct {
	next      *Snapshot
	dirtyApps map[ids.UUID]struct{}
	dirtyFns  map[ids.UUID]struct{}
}

func newTx(s *Snapshot) *Tx {
	return &Tx{
		next: &Snapshot{
			Generation: s.Generation,
			Apps:       maps.Clone(s.Apps),
			ByID:       maps.Clone(s.ByID),
			archived:   maps.Clone(s.archived),
		},
		dirtyApps: map[ids.UUID]struct{}{},
		dirtyFns:  map[ids.UUID]struct{}{},
	}
}

// App returns the app with the id, or nil. It must not be changed; see PutApp.
func (tx *Tx) App(id ids.UUID) *App { return tx.next.Apps[id] }

// Apps calls fn for each app, also archived ones, until fn returns false.
func (tx *Tx) Apps(fn func(*App) bool) {
	for _, a := range tx.next.Apps {
		if !fn(a) {
			return
		}
	}
}

// AppByName returns the app with the name, preferring an active one, or nil.
func (tx *Tx) AppByName(name string) *App { return appByName(tx.next.Apps, name) }

func appByName(apps map[ids.UUID]*App, name string) *App {
	var found *App
	for _, a := range apps {
		// Durable endpoints may have any domain as name; they register elsewhere.
		if a.Name == name && a.Method != MethodAPI && (found == nil || a.Active()) {
			found = a
		}
	}
	return found
}

// PutApp inserts or replaces an app. The catalog keeps a copy.
func (tx *Tx) PutApp(a App) {
	tx.next.Apps[a.ID] = &a
	tx.dirtyApps[a.ID] = struct{}{}
}

// DeleteApp removes an app for good. It is meant for placeholders, which own no functions.
func (tx *Tx) DeleteApp(id ids.UUID) {
	delete(tx.next.Apps, id)
	tx.dirtyApps[id] = struct{}{}
}

// Function returns the function with the id, also an archived one, or nil.
func (tx *Tx) Function(id ids.UUID) *function.Function { return tx.next.ByID[id] }

// Active reports whether a function with the id exists and is not archived.
func (tx *Tx) Active(id ids.UUID) bool {
	_, gone := tx.next.archived[id]
	return tx.next.ByID[id] != nil && !gone
}

// Functions returns an app's active functions in no order.
func (tx *Tx) Functions(app ids.UUID) []*function.Function {
	var out []*function.Function
	for id, f := range tx.next.ByID {
		if f.AppID == app && tx.Active(id) {
			out = append(out, f)
		}
	}
	return out
}

// PutFunction inserts or replaces a function, which becomes active.
func (tx *Tx) PutFunction(f *function.Function) {
	delete(tx.next.archived, f.ID)
	tx.next.ByID[f.ID] = f
	tx.dirtyFns[f.ID] = struct{}{}
}

// ArchiveFunction takes a function out of service. Its running runs continue.
func (tx *Tx) ArchiveFunction(id ids.UUID, at time.Time) {
	if tx.Active(id) {
		tx.next.archived[id] = at
		tx.dirtyFns[id] = struct{}{}
	}
}

// ArchiveApp takes an app and its functions out of service.
func (tx *Tx) ArchiveApp(id ids.UUID, at time.Time) {
	a := tx.next.Apps[id]
	if a == nil || !a.Active() {
		return
	}
	archived := *a
	archived.ArchivedAt = at
	archived.UpdatedAt = at
	tx.PutApp(archived)
	for _, f := range tx.Functions(id) {
		tx.ArchiveFunction(f.ID, at)
	}
}
