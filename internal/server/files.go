package server

import (
	"log/slog"

	"ingot/api"
	"ingot/storage/pebble"
)

// files shares the process's open files out, so that neither clients that open ever more
// connections nor apps that come and go take those that storage needs: without them the
// server could not go on.
type files struct {
	store       int // tables of the store
	workers     int // calls to apps under way
	idle        int // connections to apps that wait for the next call
	connections int // of clients
}

const (
	// ownFiles is what the process has open besides: listeners, logs, the history and what
	// looks up names.
	ownFiles = 128
	// fewConnections are less than clients may well need.
	fewConnections = 1000
)

// shareFiles shares out as many files as the process may open; 0 is not known.
func shareFiles(limit uint64, workers int) files {
	f := files{pebble.DefaultMaxOpenTables, workers, workers, api.DefaultMaxConnections}
	if limit == 0 {
		return f
	}
	n := int(min(limit, 1<<30))
	f.store = min(f.store, max(64, n/8))
	f.workers = min(f.workers, max(16, n/4))
	f.idle = min(f.workers, max(16, n/8))
	f.connections = min(f.connections, max(16, n-ownFiles-f.store-f.workers-f.idle))
	return f
}

// tell warns if the limit is low.
func (f files) tell(log *slog.Logger, limit uint64, workers int) {
	if f.workers < workers || f.connections < fewConnections {
		log.Warn("few files may be open at once, which bounds calls and connections; raise it with ulimit -n, or LimitNOFILE of the service",
			"files", limit, "calls", f.workers, "wanted_calls", workers, "connections", f.connections)
	}
}
