package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// DefaultPollInterval is how often apps are asked to sync (spec 01 §5.9).
const DefaultPollInterval = 5 * time.Second

// maxPings bounds the apps that are asked at the same time.
const maxPings = 16

// AppClient reaches apps outside of calls. It bounds time and size of each
// request itself.
type AppClient interface {
	// Ping asks the app at url to sync (PUT, spec 01 §5.2) and returns the answer's
	// status and the beginning of its body. An error means that no answer came.
	Ping(ctx context.Context, url string) (status int, body []byte, err error)
	// Probe reports whether an SDK answers a GET of url.
	Probe(ctx context.Context, url string) (bool, error)
}

// SyncOptions configure a Syncer.
type SyncOptions struct {
	Catalog *engine.Catalog
	Client  AppClient
	// URLs are where the user said that apps are. They are kept, and asked until they sync.
	URLs []string
	// Discover scans local ports: often until there is an app, then now and then.
	Discover bool
	// Port is one more port to scan; 0 is none.
	Port int
	// Poll asks all apps again and again. Without it only those with an error are asked.
	Poll bool
	// Interval is the time between two rounds; 0 is DefaultPollInterval.
	Interval time.Duration
	Logger   *slog.Logger
}

// Syncer keeps the catalog in step with the apps by asking them to register:
// apps named by URL, apps found on local ports, apps that have changed or failed
// (spec 01 §5.9, 06 §12).
type Syncer struct {
	opts  SyncOptions
	log   *slog.Logger
	ports []int
	// scanned is when the ports were last scanned.
	scanned time.Time
}

// NewSyncer returns a syncer; Run does its work.
func NewSyncer(o SyncOptions) *Syncer {
	if o.Interval <= 0 {
		o.Interval = DefaultPollInterval
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Syncer{opts: o, log: o.Logger, ports: slices.Clone(discoverPorts)}
	if o.Port > 0 && !slices.Contains(s.ports, o.Port) {
		s.ports = append(s.ports, o.Port)
	}
	return s
}

// Run works until ctx ends. Between rounds it sleeps; where there is nothing to
// ask a round costs nothing.
func (s *Syncer) Run(ctx context.Context) {
	for _, raw := range s.opts.URLs {
		if err := s.opts.Catalog.AddPlaceholder(engine.NormalizeUserURL(raw), engine.AppErrorUnreachable, false, now()); err != nil {
			s.log.Error("an app URL could not be stored", "url", raw, "error", err)
		}
	}
	tick := time.NewTicker(s.opts.Interval)
	defer tick.Stop()
	for {
		s.Round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round asks once: it scans ports if that is wanted and due, and pings the apps
// that are due.
func (s *Syncer) Round(ctx context.Context) {
	due := s.due()
	if s.opts.Discover && s.scanDue(now()) {
		s.discover(ctx)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxPings)
	for _, target := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s.ping(ctx, target)
		})
	}
	wg.Wait()
}

func now() time.Time { return time.Now().UTC() }

// noApps reports whether no app has ever synced and none was named.
func (s *Syncer) noApps() bool {
	for _, a := range s.opts.Catalog.Snapshot().Apps {
		if a.Active() && a.Method != engine.MethodAPI {
			return false
		}
	}
	return true
}

// pingTarget is one URL to ask, and the apps that are there.
type pingTarget struct {
	url  string
	apps []ids.UUID
}

// due returns what to ask in this round, each URL once.
func (s *Syncer) due() []pingTarget {
	byURL := map[string]*pingTarget{}
	for _, a := range s.opts.Catalog.Snapshot().Apps {
		if !a.Active() || a.Method != engine.MethodServe || !s.opts.Poll && a.Error == "" {
			continue
		}
		t := byURL[a.URL]
		if t == nil {
			t = &pingTarget{url: a.URL}
			byURL[a.URL] = t
		}
		t.apps = append(t.apps, a.ID)
	}
	out := make([]pingTarget, 0, len(byURL))
	for _, t := range byURL {
		out = append(out, *t)
	}
	return out
}

// ping asks one URL to sync and stores what went wrong. A success stores nothing:
// the registration that it caused has.
func (s *Syncer) ping(ctx context.Context, t pingTarget) {
	problem, relayed := s.ask(ctx, t.url)
	if problem == "" || ctx.Err() != nil {
		return
	}
	apps := s.opts.Catalog.Snapshot().Apps
	for _, id := range t.apps {
		a := apps[id]
		if a == nil || !a.Active() || a.URL != t.url {
			continue // the registration moved it
		}
		if relayed && a.Error != "" && !pingCodes[a.Error] {
			continue // the registration told more
		}
		if a.Error != problem {
			s.log.Warn("an app did not sync", "url", t.url, "app", a.Name, "problem", problem)
		}
		if err := s.opts.Catalog.SetAppError(id, problem, now()); err != nil {
			s.log.Error("the state of an app could not be stored", "url", t.url, "error", err)
		}
	}
}

// ask pings url and returns the problem by its code (spec 01 §5.2); empty is
// success. relayed says that the app may only repeat what its registration was
// answered.
func (s *Syncer) ask(ctx context.Context, appURL string) (problem string, relayed bool) {
	u, err := url.Parse(appURL)
	if err != nil {
		return engine.AppErrorUnreachable, false
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "unsupported_protocol", false
	}
	status, body, err := s.opts.Client.Ping(ctx, appURL)
	if err != nil {
		s.log.Debug("an app did not answer", "url", appURL, "error", err)
		return engine.AppErrorUnreachable, false
	}
	switch status {
	case fasthttp.StatusUnauthorized:
		return "unauthorized", false
	case fasthttp.StatusForbidden:
		return "forbidden", false
	case fasthttp.StatusNotFound:
		return "url_not_found", false
	case fasthttp.StatusInternalServerError:
		return "internal_server_error", true
	case fasthttp.StatusBadRequest:
		return refusal(body), true
	}
	return "", false
}

// pingCodes are the problems that a ping itself can find.
var pingCodes = map[string]bool{
	engine.AppErrorUnreachable: true, "unauthorized": true, "forbidden": true, "url_not_found": true,
	"internal_server_error": true, "unsupported_protocol": true,
}

// maxProblem bounds a stored text that an app sent.
const maxProblem = 1024

// refusal reads the reason of a 400.
func refusal(body []byte) string {
	var answer struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Message == "" {
		return "internal_server_error"
	}
	for _, known := range []struct{ text, code string }{
		{"Your signing key is invalid", "invalid_signing_key"},
		{"No functions registered", "no_functions"},
		{"function is invalid", "invalid_function"},
		{"You didn't specify your workspace's signing key", "missing_signing_key"},
		{"No INNGEST_ENV branch name found", "missing_branch_env_name"},
		{engine.ErrBlockedSDK.Error(), engine.AppErrorBlockedSDK},
	} {
		if strings.Contains(answer.Message, known.text) {
			return known.code
		}
	}
	if len(answer.Message) > maxProblem {
		return strings.ToValidUTF8(answer.Message[:maxProblem], "")
	}
	return answer.Message
}
