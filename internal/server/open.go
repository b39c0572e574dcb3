package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"ingot/api"
	"ingot/engine"
	"ingot/internal/admin"
	"ingot/internal/config"
	"ingot/internal/realtime"
	"ingot/internal/resident"
	"ingot/storage/pebble"
	"ingot/transport"
)

var errStarting = errors.New("the server is starting")

// open starts everything, from the disk up.
func (s *Server) open(ctx context.Context, cfg Config) error {
	begin := time.Now()
	limit := maxFiles()
	files := shareFiles(limit, cfg.Workers)
	files.tell(s.log, limit, cfg.Workers)
	var err error
	if s.ln, err = listen(cfg); err != nil {
		return err
	}
	if err = s.openStore(cfg, files.store); err != nil {
		return err
	}
	if err = s.openAdmin(cfg); err != nil {
		return err
	}
	system, err := s.store.Partition(engine.SystemPartition)
	if err != nil {
		return fmt.Errorf("opening the catalog: %w", err)
	}
	catalog, err := engine.OpenCatalog(system)
	if err != nil {
		return fmt.Errorf("loading the catalog: %w", err)
	}
	s.openMetrics(cfg, catalog)
	hub := realtime.NewHub(realtime.Limits{})
	s.reach = transport.NewHTTP(transport.Options{
		SigningKey: cfg.SigningKey, Workers: files.workers, IdleConnections: files.idle, Timeout: cfg.CallTimeout, Logger: s.log,
		Publish: func(channel, topic string, body []byte) { hub.Publish(channel, topic, body) },
	})
	s.engine, err = engine.New(engine.Config{
		Store: s.store, Catalog: catalog, Transport: s.reach, Logger: s.log,
		RetryInterval: cfg.RetryInterval, MaxInFlight: files.workers, OnFailure: s.fail,
		MaxBacklog: int64(cfg.MaxBacklog), MaxFunctionBacklog: int64(cfg.MaxFunctionBacklog),
		// After a burst the heap is mostly garbage that the runtime would keep for long.
		OnRest:  debug.FreeOSMemory,
		History: true, MaxOutbox: maxOutboxBytes,
	})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.openHistory(ctx, cfg, catalog); err != nil {
		return err
	}
	s.engine.Start()
	s.api = api.NewServer(api.Options{
		Mode: apiMode(cfg), Engine: s.engine, Catalog: catalog, Log: s.store.Log(), Version: cfg.Version, Logger: s.log,
		Realtime: hub, MaxConnections: files.connections, Admit: s.engine.Admit, History: s.history, Operator: s.engine, NoUI: cfg.NoUI, Apps: appClient{s.reach, apiMode(cfg)},
		SigningKey: cfg.SigningKey, EventKeys: cfg.EventKeys, TokenSecret: tokenSecret(cfg),
		Dev: devOptions(cfg),
	})
	s.operate(cfg)
	s.wg.Go(func() {
		if err := s.api.Serve(s.ln); err != nil {
			s.fail(err)
		}
	})
	s.startSyncer(cfg, catalog)
	if _, err := resident.ReleaseTables(); err != nil {
		s.log.Debug("memory that only the start needed is kept", "error", err)
	}
	s.log.Info("starting server", "addr", s.Addr(), "data", s.dir, "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

func (s *Server) openStore(cfg Config, maxTables int) error {
	if cfg.Ephemeral {
		dir, err := os.MkdirTemp("", "ingot-")
		if err != nil {
			return fmt.Errorf("making a temporary data directory: %w", err)
		}
		s.dir, s.scratch = dir, true
	}
	policy := pebble.SyncAlways
	if cfg.Sync == config.SyncInterval {
		policy = pebble.SyncInterval(syncInterval)
	}
	store, err := pebble.Open(s.dir, pebble.Options{Sync: policy, MaxOpenTables: maxTables, Logger: s.log})
	if err != nil {
		return err
	}
	s.store = store
	return nil
}

// openAdmin comes early, so that a slow start can be profiled too.
func (s *Server) openAdmin(cfg Config) error {
	if cfg.AdminAddr == "" {
		return nil
	}
	port, err := admin.Start(admin.Options{
		Addr: cfg.AdminAddr, Version: cfg.Version, Logger: s.log,
		Vars: map[string]func() (any, error){
			"store": func() (any, error) { return s.store.Metrics() },
			"engine": func() (any, error) {
				if s.engine == nil {
					return nil, errStarting
				}
				return s.engine.Stats(), nil
			},
		},
	})
	if err != nil {
		return err
	}
	s.admin = port
	s.log.Info("starting admin server", "addr", port.Addr())
	return nil
}

// startSyncer keeps the catalog in step with the apps until the server closes.
func (s *Server) startSyncer(cfg Config, catalog *engine.Catalog) {
	// The app's own port is worth a look as well (spec 06 §12.1).
	port, _ := strconv.Atoi(os.Getenv("PORT"))
	syncer := api.NewSyncer(api.SyncOptions{
		Catalog: catalog, Client: appClient{s.reach, apiMode(cfg)}, URLs: cfg.SDKURLs,
		Discover: cfg.Discovery, Port: port, Poll: cfg.Poll, Interval: cfg.PollInterval, Logger: s.log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	s.stopSync = cancel
	s.wg.Go(func() { syncer.Run(ctx) })
}
