package config

import (
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// Loaded is a configuration and how it came about.
type Loaded struct {
	Config
	// Settings are the effective values with their sources; [LogOptions] has the log's.
	Settings []Setting
	// Warnings are for the log.
	Warnings []string
}

// Load merges the sources for a mode. The error names every violation, one a line;
// what was read of the settings is returned with it.
func Load(mode Mode, src Sources) (Loaded, error) {
	r := resolver{src: src}
	c := Config{
		Mode:            mode,
		Host:            r.text("host", ""),
		Port:            r.number("port", DefaultPort),
		SDKURLs:         r.list("sdk-url"),
		RetryInterval:   max(0, r.duration("retry-interval", time.Second, 0)),
		Workers:         r.number("queue-workers", DefaultWorkers),
		CallTimeout:     r.duration("request-timeout", time.Second, DefaultCallTimeout),
		Ephemeral:       r.boolean("ephemeral"),
		Sync:            Sync(r.text("sync", string(SyncAlways))),
		AdminAddr:       r.text("admin-addr", ""),
		TraceEndpoint:   r.text("system-trace-endpoint", ""),
		TracePath:       r.text("system-trace-url-path", ""),
		FunctionMetrics: r.switchedOn("experimental-prom-metrics"),

		MaxBacklog:         r.number("max-backlog", 0),
		MaxFunctionBacklog: r.number("max-function-backlog", 0),
	}
	r.loadMode(&c)
	r.loadDatabase(&c)
	c.Retention = Retention{
		RunAge: r.duration("history-run-age", time.Hour, 0), RunCount: r.number("history-run-count", 0),
		EventAge: r.duration("history-event-age", time.Hour, 0), EventCount: r.number("history-event-count", 0),
		DryRun: r.boolean("history-dry-run"),
	}
	for _, s := range settings {
		if s.use == ignored && r.given(s.key) {
			c.NoEffect = append(c.NoEffect, s.key)
		}
	}
	r.check(&c)
	r.misspelledVariables()
	if src.File != nil {
		r.warnings = append(r.warnings, src.File.Warnings...)
	}
	return Loaded{Config: c, Settings: r.sorted(), Warnings: r.warnings}, errors.Join(r.errs...)
}

// loadMode reads what the two modes have not in common.
func (r *resolver) loadMode(c *Config) {
	c.PollInterval = r.duration("poll-interval", time.Second, DefaultPollInterval)
	asked := r.given("poll-interval") && c.PollInterval != 0
	if c.PollInterval == 0 {
		c.PollInterval = DefaultPollInterval
	}
	if c.Mode == ModeDev {
		c.Discovery = !r.boolean("no-discovery")
		c.Poll = !r.boolean("no-poll")
		c.ShutdownGrace = r.shutdownGrace(devShutdown)
		return
	}
	// In production apps sync themselves when they are deployed; they are asked again
	// only where that was asked for (spec 06 §12.6).
	c.Poll = asked
	c.ShutdownGrace = r.shutdownGrace(0)
	c.NoUI = r.boolean("no-ui")
	r.loadKeys(c)
}

// shutdownGrace reads 0 as no bound.
func (r *resolver) shutdownGrace(def time.Duration) time.Duration {
	d := r.duration("shutdown-grace-period", time.Second, def)
	if d < 0 {
		r.failf("shutdown-grace-period must not be negative")
	}
	if d == 0 {
		return Unbounded
	}
	return min(d, Unbounded)
}

// loadDatabase reads where durable data goes. The default of data-dir follows
// sqlite-dir, since that is the one writable place of containers made for the
// reference.
func (r *resolver) loadDatabase(c *Config) {
	dir := r.text("sqlite-dir", "")
	def := DefaultDataDir
	if dir != "" {
		def = filepath.Join(dir, "ingot")
	}
	c.DataDir = r.text("data-dir", def)
	c.Database = Database{
		SQLiteDir:       dir,
		PostgresURI:     r.text("postgres-uri", ""),
		MaxIdleConns:    r.number("postgres-max-idle-conns", 10),
		MaxOpenConns:    r.number("postgres-max-open-conns", 100),
		ConnMaxIdleTime: r.duration("postgres-conn-max-idle-time", time.Minute, 5*time.Minute),
		ConnMaxLifetime: r.duration("postgres-conn-max-lifetime", time.Minute, 30*time.Minute),
	}
}

// switchedOn is a variable of the reference that is on unless it is empty or says
// no (spec 06 §9).
func (r *resolver) switchedOn(key string) bool {
	values, source := r.lookup(key)
	on := !slices.Contains([]string{"", "0", "false", "no"}, last(values))
	r.show(key, source, on)
	return on
}

// misspelledVariables warns of INNGEST_ variables that are nearly a setting's.
// Others are silently passed over: SDKs and tools have variables of their own.
func (r *resolver) misspelledVariables() {
	known := slices.Clone(foreign)
	for _, s := range settings {
		known = append(known, EnvName(s.key))
		known = append(known, s.env...)
	}
	for _, name := range unknownNames(r.src.Environ, known) {
		if near := nearest(name, known); near != "" {
			r.warnf("unknown environment variable %s; did you mean %s?", name, near)
		}
	}
}
