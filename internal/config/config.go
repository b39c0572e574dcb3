// Package config turns flags, INNGEST_* variables and a configuration file into
// one checked configuration (spec 06 §2 to §8), and can tell where each value
// came from.
//
// What does not live here: the command line's syntax (cmd/ingot) and what the
// settings do (internal/server).
package config

import (
	"time"
)

// Mode is the command that the configuration is for.
type Mode uint8

const (
	// ModeDev is `ingot dev`: open to everybody, finds apps by itself.
	ModeDev Mode = iota
	// ModeStart is `ingot start`: needs keys, and syncs only apps that were named.
	ModeStart
)

// String is the command's name.
func (m Mode) String() string {
	if m == ModeStart {
		return "start"
	}
	return "dev"
}

// Sync is when step results are flushed to the disk. Accepted events always are
// before they are acknowledged; killing the process loses nothing under either.
type Sync string

const (
	// SyncAlways flushes each group of commits: a power cut loses nothing.
	SyncAlways Sync = "always"
	// SyncInterval flushes a few times a second: a power cut may repeat the steps
	// of the last interval.
	SyncInterval Sync = "interval"
)

// Defaults (spec 06 §3, §4).
const (
	DefaultPort         = 8288
	DefaultPollInterval = 5 * time.Second
	// DefaultWorkers is ten times the reference's: a call that waits for its app
	// costs a goroutine here, and must not hold up others.
	DefaultWorkers = 1000
	DefaultDataDir = ".ingot"
	// DefaultCallTimeout bounds one call to an app (spec 06 §8.5).
	DefaultCallTimeout = 2 * time.Hour
	// devShutdown is short, since a developer waits.
	devShutdown = 2 * time.Second
	// Unbounded is a time that nobody waits for.
	Unbounded = 366 * 24 * time.Hour
)

// Config is the configuration of a server.
type Config struct {
	Mode Mode
	// Host is what the main port binds to; empty means every interface.
	Host string
	// Port is the main port; 0 lets the system choose.
	Port int
	// SDKURLs are the apps to sync, as given but with a scheme.
	SDKURLs []string
	// Discovery scans local ports for apps.
	Discovery bool
	// Poll syncs known apps again each PollInterval; without it only those with an
	// error are.
	Poll         bool
	PollInterval time.Duration
	// RetryInterval replaces the back-off table if it is not zero.
	RetryInterval time.Duration
	// Workers bounds the calls to apps that run at once, CallTimeout each of them; 0 is
	// the default.
	Workers     int
	CallTimeout time.Duration
	// DataDir is where everything durable lives.
	DataDir string
	// Ephemeral uses a temporary directory instead, removed at the end.
	Ephemeral bool
	Sync      Sync
	// Database is where the history goes, and Retention what of it is deleted.
	Database  Database
	Retention Retention
	// TraceEndpoint (host:port) and TracePath are where traces are exported to, unless the
	// standard variables of OpenTelemetry name another place; empty is nowhere.
	TraceEndpoint, TracePath string
	// AdminAddr is where profiles and figures are served, HOST:PORT on loopback;
	// empty means nowhere.
	AdminAddr string
	// MaxBacklog and MaxFunctionBacklog bound the runs that are ready, in all and per
	// function; above them events are refused. 0 is no bound.
	MaxBacklog, MaxFunctionBacklog int
	// SigningKey signs calls to apps and authenticates who calls this server, as does
	// FallbackKey, which it replaces. Both are empty in dev.
	SigningKey, FallbackKey string
	// EventKeys are who may send events; empty lets everybody.
	EventKeys []string
	// NoUI removes the web UI and GraphQL.
	NoUI bool
	// FunctionMetrics adds the counters by function to /metrics.
	FunctionMetrics bool
	// ShutdownGrace is how long calls to apps may take to end when the server stops, up to
	// Unbounded; 0 is the server's default. Those cut off are made again at the next start.
	ShutdownGrace time.Duration
	// NoEffect are the settings that were given and change nothing in this
	// version, worth a warning.
	NoEffect []string
}

// Database is where the read model lives (spec 06 §13.1).
type Database struct {
	// SQLiteDir is the directory of the SQLite file; empty leaves the choice to the server.
	SQLiteDir string
	// PostgresURI takes the place of SQLite if it is not empty.
	PostgresURI string
	// MaxIdleConns and MaxOpenConns bound the connections to Postgres of the process,
	// ConnMaxIdleTime and ConnMaxLifetime how long one is kept.
	MaxIdleConns, MaxOpenConns       int
	ConnMaxIdleTime, ConnMaxLifetime time.Duration
}

// Retention bounds the history; 0 keeps everything. Runs that have not ended always stay.
type Retention struct {
	// RunAge deletes runs that ended longer ago, RunCount all but so many of those that
	// ended last; likewise for events, unless a run needs them.
	RunAge, EventAge     time.Duration
	RunCount, EventCount int
	// DryRun only logs what would be deleted.
	DryRun bool
}
