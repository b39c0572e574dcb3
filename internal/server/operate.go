package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"ingot/api"
	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/config"
	"ingot/internal/ids"
	"ingot/internal/metrics"
	"ingot/internal/otlp"
	"ingot/storage/history"
	"ingot/storage/pebble"
)

// apiMode is the server's kind as it is told to SDKs.
func apiMode(cfg Config) api.Mode {
	if cfg.Mode == config.ModeStart {
		return api.ModeStart
	}
	return api.ModeDev
}

// devOptions is what /dev tells of the configuration.
func devOptions(cfg Config) api.DevOptions {
	db := cfg.Database
	return api.DevOptions{
		URLs: cfg.SDKURLs, Autodiscover: cfg.Discovery, Poll: cfg.Poll, PollInterval: cfg.PollInterval,
		RetryInterval: cfg.RetryInterval, Workers: cfg.Workers, Persist: !cfg.Ephemeral,
		SQLiteDir: db.SQLiteDir, PostgresURI: config.MaskURL(db.PostgresURI), MaxIdleConns: db.MaxIdleConns, MaxOpenConns: db.MaxOpenConns,
		ConnMaxIdleTime: db.ConnMaxIdleTime, ConnMaxLifetime: db.ConnMaxLifetime,
	}
}

// tokenSecret signs the tokens of realtime subscribers and of runs. In production it is
// made of the signing key, so that tokens outlive a restart; nil is the api's default.
func tokenSecret(cfg Config) []byte {
	if cfg.SigningKey == "" {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(cfg.SigningKey))
	mac.Write([]byte("ingot: secret of realtime and run tokens"))
	return mac.Sum(nil)
}

// openMetrics registers what /metrics shows; the reference's figures come first.
func (s *Server) openMetrics(cfg Config, catalog *engine.Catalog) {
	s.runs = metrics.NewRuns(slugs(catalog))
	s.metrics.Register(s.engineMetrics)
	s.metrics.Register(s.storeMetrics)
	s.metrics.Register(s.runs.Totals)
	s.metrics.Register(func(p *metrics.Page) { s.loadMetrics(p, catalog, cfg.FunctionMetrics) })
	if cfg.FunctionMetrics {
		s.metrics.Register(s.runs.ByFunction)
		s.metrics.Register(func(p *metrics.Page) { s.functionMetrics(p, catalog.Snapshot().Active) })
	}
	s.metrics.Register(metrics.Runtime(cfg.Version))
}

// operate sets up what is for operators: metrics, readiness, keys. It comes before the
// first request.
func (s *Server) operate(cfg Config) {
	s.api.Operate(api.Operations{
		FallbackKey: cfg.FallbackKey, NoUI: cfg.NoUI, Metrics: s.metrics.Append, NotReady: s.notReady, Trouble: s.hitch,
	})
}

// slugs names functions, also those that are archived.
func slugs(catalog *engine.Catalog) func(ids.UUID) string {
	return func(id ids.UUID) string {
		if f := catalog.Snapshot().ByID[id]; f != nil {
			return f.Slug
		}
		return ""
	}
}

// countedDB counts what was stored of runs, and passes on which have ended.
type countedDB struct {
	*history.DB
	runs   *metrics.Runs
	traces *otlp.Exporter // nil if they go nowhere
}

// Store stores a batch and counts it.
func (c countedDB) Store(ctx context.Context, b *history.Batch) error {
	if err := c.DB.Store(ctx, b); err != nil {
		return err //nolint:wrapcheck // a decorator adds nothing
	}
	c.runs.Observe(b.Records)
	if c.traces != nil {
		c.traces.Observe(b.Records)
	}
	return nil
}

// check tells why the server should get no requests now; empty if it may. The text is
// shown to everybody.
type check func() string

// notReady is the first reason why load balancers should send requests elsewhere.
func (s *Server) notReady() string {
	if s.draining.Load() {
		return "draining: the server is stopping"
	}
	if m, err := s.store.Metrics(); s.Err() != nil || err != nil || m.Failed {
		return "failed: the server cannot go on and has to be started again; its log says why"
	}
	for _, c := range s.checks {
		if why := c(); why != "" {
			return why
		}
	}
	return ""
}

// maxQueueDepth is where the reference ends.
const maxQueueDepth = 1_000_000_000

func (s *Server) engineMetrics(p *metrics.Page) {
	st := s.engine.Stats()
	p.Gauge("inngest_queue_depth", "Total depth of all system queues including backlog and ready state items", float64(min(max(st.Backlog, 0), maxQueueDepth)))
	p.Gauge("ingot_backlog_runs", "Runs that are ready or being called", float64(st.Backlog))
	p.Gauge("ingot_flow_lanes", "Lines of runs of keyed limits in memory", float64(st.Lanes))
	p.Gauge("ingot_flow_gates", "Limits of single keys in memory", float64(st.Gates))
	p.Gauge("ingot_flow_keys", "States of keys in memory", float64(st.Keys))
	p.Gauge("ingot_dead_letters", "Dead letters", float64(st.Dead))
	p.Gauge("ingot_outbox_bytes", "History that waits for the database", float64(s.engine.OutboxBytes()))
}

// loadTime bounds how long a scrape waits for the engine.
const loadTime = time.Second

// loadMetrics shows what runs wait for; nothing while the engine does not answer.
func (s *Server) loadMetrics(p *metrics.Page, catalog *engine.Catalog, byFunction bool) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	loads, err := s.engine.Loads(ctx)
	if err != nil {
		return
	}
	p.Loads(loads)
	if byFunction {
		p.LoadsByFunction(loads, slugs(catalog))
	}
}

func (s *Server) functionMetrics(p *metrics.Page, active []*function.Function) {
	samples := make([]metrics.Sample, len(active))
	for i, f := range active {
		samples[i] = metrics.Sample{Labels: []string{"fn", f.Slug}, Value: float64(s.engine.Backlog(f.ID))}
	}
	p.Gauges("ingot_function_backlog_runs", "Runs of a function that are ready or being called", samples)
}

// storeMetrics shows nothing once the store is closed.
func (s *Server) storeMetrics(p *metrics.Page) {
	m, err := s.store.Metrics()
	if err != nil {
		return
	}
	writeStore(p, &m)
}

func writeStore(p *metrics.Page, m *pebble.Metrics) {
	p.Counter("ingot_events_accepted_total", "Events that were made durable, since the data directory was made", float64(max(m.LogHead, 1)-1))
	p.Counter("ingot_log_commits_total", "Group commits of events", float64(m.LogGroups))
	p.Gauge("ingot_log_pending_bytes", "Events that partitions or history have still to read", float64(m.LogPendingBytes))
	p.Counter("ingot_store_fsyncs_total", "Syncs of files to the disk", float64(m.Syncs))
	p.Gauge("ingot_store_disk_bytes", "Size of the data directory's files", float64(m.DiskBytes))
	p.Gauge("ingot_store_table_bytes", "The part of it in live tables", float64(m.TableBytes))
	p.Gauge("ingot_store_memtable_bytes", "Memory of the tables that are not on disk yet", float64(m.MemtableBytes))
	p.Gauge("ingot_store_compaction_debt_bytes", "What is left to be compacted, estimated", float64(m.CompactionDebtBytes))
	p.Counter("ingot_store_compactions_total", "Compactions", float64(m.Compactions))
	p.Counter("ingot_store_flushes_total", "Flushes of tables from memory to disk", float64(m.Flushes))
	p.Gauge("ingot_store_cache_bytes", "Memory of the block cache", float64(m.CacheBytes))
	p.Counter("ingot_store_cache_hits_total", "Blocks found in the cache", float64(m.CacheHits))
	p.Counter("ingot_store_cache_misses_total", "Blocks read from disk", float64(m.CacheMisses))
	failed := 0.0
	if m.Failed {
		failed = 1
	}
	p.Gauge("ingot_store_failed", "1 once a write has failed: nothing goes on until a restart", failed)
}
