package engine

import (
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
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
	Error     string
	CreatedAt time.Time
	UpdatedAt time.Time
	// ArchivedAt is the zero time while the app is active.
	ArchivedAt time.Time
}

// Snapshot is one immutable state of the catalog.
type Snapshot struct {
	// Generation rises with each change.
	Generation uint64
	Apps       map[ids.UUID]*App
	// Active are the functions that can be started, in a stable order.
	Active []*function.Function
	// ByID also has the archived ones: their running runs continue.
	ByID map[ids.UUID]*function.Function
}

// Catalog holds the registered apps and functions: durable, read by snapshot,
// changed by one writer at a time.
type Catalog struct{}

// OpenCatalog loads the catalog from the store's system partition.
func OpenCatalog(ps PartitionStore) (*Catalog, error) { panic("not built") }

// Snapshot returns the current state. It never blocks.
func (c *Catalog) Snapshot() *Snapshot { panic("not built") }

// Subscribe calls fn with the current snapshot and after each change, in order.
func (c *Catalog) Subscribe(fn func(*Snapshot)) { panic("not built") }
