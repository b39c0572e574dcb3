package api

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"
)

// DevOptions are the settings that /dev tells SDKs and the web UI about.
type DevOptions struct {
	// URLs are the apps given on the command line.
	URLs []string
	// Autodiscover says that local ports are scanned for apps.
	Autodiscover bool
	// Poll says that known apps are synced again each PollInterval.
	Poll         bool
	PollInterval time.Duration
	// RetryInterval replaces the back-off table if it is not zero.
	RetryInterval time.Duration
	// Workers bounds the calls to apps that run at once.
	Workers int
	// Persist says that the data survives a restart.
	Persist bool
	// SQLiteDir and PostgresURI are where the history goes, as configured and without
	// passwords; the others bound the connections to Postgres, 0 is the default.
	SQLiteDir, PostgresURI           string
	MaxIdleConns, MaxOpenConns       int
	ConnMaxIdleTime, ConnMaxLifetime time.Duration
	// Features are flags for the web UI, besides those that are always there.
	Features map[string]bool
}

// devBody is the answer of /dev (spec 02 §11.2). The names are the reference's;
// what has no counterpart here has the value that a default installation of the
// reference shows.
type devBody struct {
	Version             string            `json:"version"`
	Authed              bool              `json:"authed"`
	StartOpts           startOpts         `json:"startOpts"`
	Functions           []json.RawMessage `json:"functions"`
	Handlers            []string          `json:"handlers"`
	IsSingleNodeService bool              `json:"isSingleNodeService"`
	MissingSigningKey   bool              `json:"isMissingSigningKey"`
	MissingEventKeys    bool              `json:"isMissingEventKeys"`
	Features            map[string]bool   `json:"features"`
}

type startOpts struct {
	Dir                  string         `json:"dir"`
	URLs                 []string       `json:"urls"`
	Autodiscover         bool           `json:"autodiscover"`
	Poll                 bool           `json:"poll"`
	PollInterval         int            `json:"poll_interval"` // seconds
	Tick                 time.Duration  `json:"tick"`
	RetryInterval        int            `json:"retry_interval"` // seconds
	QueueWorkers         int            `json:"queue_workers"`
	RequireKeys          bool           `json:"require_keys"`
	GatewayPort          int            `json:"connectGatewayPort"`
	GatewayHost          string         `json:"connectGatewayHost"`
	GRPC                 map[string]any `json:"connectGRPCConfig"`
	NoUI                 bool           `json:"NoUI"`
	Persist              bool           `json:"persist"`
	RedisURI             string         `json:"redis_uri"`
	PostgresURI          string         `json:"postgres_uri"`
	PostgresMaxIdle      int            `json:"postgres-max-idle-conns"`
	PostgresMaxOpen      int            `json:"postgres-max-open-conns"`
	PostgresIdleTime     int            `json:"postgres-conn-max-idle-time"`
	PostgresConnLifetime int            `json:"postgres-conn-max-lifetime"`
	SQLiteDir            string         `json:"sqlite_dir"`
	DebugAPIPort         int            `json:"debugAPIPort"`
}

type grpcAddr struct {
	IP   string
	Port int
}

func (o *DevOptions) startOpts() startOpts {
	urls := o.URLs
	if urls == nil {
		urls = []string{}
	}
	return startOpts{
		URLs: urls, Autodiscover: o.Autodiscover, Poll: o.Poll, PollInterval: int(o.PollInterval / time.Second),
		Tick: 150 * time.Millisecond, RetryInterval: int(o.RetryInterval / time.Second), QueueWorkers: o.Workers,
		GatewayPort: 8289, GatewayHost: "127.0.0.1",
		GRPC:    map[string]any{"Gateway": grpcAddr{"127.0.0.1", 50052}, "Executor": grpcAddr{"127.0.0.1", 50053}},
		Persist: o.Persist, SQLiteDir: o.SQLiteDir, PostgresURI: o.PostgresURI,
		PostgresMaxIdle: cmp.Or(o.MaxIdleConns, 10), PostgresMaxOpen: cmp.Or(o.MaxOpenConns, 100),
		PostgresIdleTime:     int(cmp.Or(o.ConnMaxIdleTime, 5*time.Minute) / time.Minute),
		PostgresConnLifetime: int(cmp.Or(o.ConnMaxLifetime, 30*time.Minute) / time.Minute),
		DebugAPIPort:         7777,
	}
}

// dev tells SDKs that this is a development server, and what runs on it. In start
// mode it does not exist.
func (s *Server) dev(ctx *fasthttp.RequestCtx, _ params) {
	if s.opts.Mode != ModeDev {
		notFound(ctx)
		return
	}
	features := map[string]bool{"FEATURE_CEL_SEARCH": false, "run-details-v4": true, "enable-step-metadata": true}
	for k, v := range s.opts.Dev.Features {
		features[k] = v
	}
	body := devBody{
		Version: s.opts.Version, Authed: s.opts.SigningKey != "", StartOpts: s.opts.Dev.startOpts(),
		Functions: []json.RawMessage{}, Features: features,
	}
	for _, f := range s.opts.Catalog.Snapshot().Active {
		body.Functions = append(body.Functions, f.Config)
	}
	b, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		s.internalErr(ctx, "Unable to describe the server", err)
		return
	}
	ctx.SetContentType(contentTypeJSON + "; charset=utf-8")
	ctx.SetBody(b)
}
