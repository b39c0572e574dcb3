// Package config turns flags, INNGEST_* variables and a configuration file into
// one checked configuration (spec 06 §2 to §6 and §8.1).
//
// What does not live here: the command line's syntax (cmd/ingot) and what the
// settings do (internal/server).
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

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

// Defaults of `ingot dev` (spec 06 §3).
const (
	DefaultPort         = 8288
	DefaultPollInterval = 5 * time.Second
	// DefaultWorkers is ten times the reference's: a call that waits for its app
	// costs a goroutine here, and must not hold up others.
	DefaultWorkers = 1000
	DefaultDataDir = ".ingot"
)

// Dev is the configuration of `ingot dev`.
type Dev struct {
	// Host is what the main port binds to; empty means every interface.
	Host string
	// Port is the main port; 0 lets the system choose.
	Port int
	// SDKURLs are the apps to sync, as given but with a scheme.
	SDKURLs []string
	// Discovery scans local ports for apps.
	Discovery bool
	// Poll syncs known apps again each PollInterval.
	Poll         bool
	PollInterval time.Duration
	// RetryInterval replaces the back-off table if it is not zero.
	RetryInterval time.Duration
	// Workers bounds the calls to apps that run at once.
	Workers int
	// DataDir is where everything durable lives.
	DataDir string
	// Ephemeral uses a temporary directory instead, removed at the end.
	Ephemeral bool
	Sync      Sync
	// AdminAddr is where profiles and figures are served, HOST:PORT on loopback;
	// empty means nowhere.
	AdminAddr string
	// MaxBacklog and MaxFunctionBacklog bound the runs that are ready, in all and per
	// function; above them events are refused. 0 is no bound.
	MaxBacklog, MaxFunctionBacklog int
	// NoEffect are the settings that were given and change nothing in this
	// version, worth a warning.
	NoEffect []string
}

// Sources are where settings come from, the strongest first.
type Sources struct {
	// Flags are those given on the command line, by name.
	Flags map[string][]string
	// Getenv reads the environment.
	Getenv func(string) string
	// File is the configuration file's flat keys; nil if there is none.
	File map[string][]string
}

// LoadDev merges the sources. The error names every violation, one a line;
// warnings are for the log.
func LoadDev(src Sources) (d Dev, warnings []string, err error) {
	r := resolver{src: src}
	d = Dev{
		Host:          r.text("host", ""),
		Port:          r.number("port", DefaultPort),
		SDKURLs:       r.list("sdk-url"),
		Discovery:     !r.boolean("no-discovery"),
		Poll:          !r.boolean("no-poll"),
		PollInterval:  time.Duration(r.number("poll-interval", 0)) * time.Second,
		RetryInterval: time.Duration(max(0, r.number("retry-interval", 0))) * time.Second,
		Workers:       r.number("queue-workers", DefaultWorkers),
		DataDir:       r.text("data-dir", DefaultDataDir),
		Ephemeral:     r.boolean("ephemeral"),
		Sync:          Sync(r.text("sync", string(SyncAlways))),
		AdminAddr:     r.text("admin-addr", ""),

		MaxBacklog:         r.number("max-backlog", 0),
		MaxFunctionBacklog: r.number("max-function-backlog", 0),
	}
	for _, name := range unused {
		if r.given(name) {
			d.NoEffect = append(d.NoEffect, name)
		}
	}
	if d.PollInterval == 0 {
		d.PollInterval = DefaultPollInterval
	}
	if d.PollInterval < 0 {
		r.failf("poll-interval must not be negative")
	}
	if d.Port < 0 || d.Port > 65535 {
		// The reference's text (spec 06 §3).
		r.failf("could not find open port for dev server api: invalid port %d", d.Port)
	}
	if d.Workers < 1 {
		r.failf("queue-workers (%d) must be at least 1", d.Workers)
	}
	for name, n := range map[string]int{"max-backlog": d.MaxBacklog, "max-function-backlog": d.MaxFunctionBacklog} {
		if n < 0 {
			r.failf("%s (%d) must be at least 1, or 0 for no bound", name, n)
		}
	}
	if d.Sync != SyncAlways && d.Sync != SyncInterval {
		r.failf("sync must be %q or %q, not %q", SyncAlways, SyncInterval, d.Sync)
	}
	if d.DataDir == "" {
		r.failf("data-dir must not be empty")
	}
	for i, u := range d.SDKURLs {
		d.SDKURLs[i] = r.appURL(u)
	}
	return d, r.warnings, errors.Join(r.errs...)
}

// unused are settings of the reference's dev that this version accepts without
// an effect, so that command lines and containers written for it start. The two
// that are missing here, `persist` and `tick`, are fulfilled without doing
// anything: data is always durable, and nothing polls.
var unused = []string{
	"connect-gateway-port", "connect-gateway-grpc-port", "connect-executor-grpc-port",
	"connect-gateway-grpc-ip", "connect-executor-grpc-ip",
	"sqlite-dir", "postgres-uri", "postgres-max-idle-conns", "postgres-max-open-conns",
	"postgres-conn-max-idle-time", "postgres-conn-max-lifetime",
	"debug-api-port", "system-trace-endpoint", "system-trace-url-path",
}

// aliases are further variables of a key, weaker than INNGEST_<KEY> (spec 06 §8.3).
var aliases = map[string][]string{
	"host":    {"INNGEST_ADDR"},
	"port":    {"INNGEST_ADDR"},
	"sdk-url": {"INNGEST_URLS"},
}

type resolver struct {
	src      Sources
	errs     []error
	warnings []string
}

func (r *resolver) failf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

// lookup returns the values of the strongest source that has key.
func (r *resolver) lookup(key string) (values []string, ok bool) {
	if v, ok := r.src.Flags[key]; ok {
		return v, true
	}
	var used, from string
	for _, name := range append([]string{EnvName(key)}, aliases[key]...) {
		v := r.src.Getenv(name)
		if name == "INNGEST_ADDR" {
			v = addrPart(key, v)
		}
		switch {
		case v == "":
		case used == "":
			used, from = v, name
		case used != v:
			r.warnings = append(r.warnings, fmt.Sprintf("conflicting environment variables: %s is used, %s is ignored", from, name))
		}
	}
	if used != "" {
		return []string{used}, true
	}
	v, ok := r.src.File[key]
	return v, ok
}

// EnvName is the variable of a key: INNGEST_ and the key in upper case.
func EnvName(key string) string {
	return "INNGEST_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// addrPart picks the host or port of INNGEST_ADDR, which may be either form.
func addrPart(key, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case key == "port" && err == nil:
		return port
	case key == "port":
		return ""
	case err == nil:
		return host
	}
	return addr
}

func (r *resolver) given(key string) bool {
	_, ok := r.lookup(key)
	return ok
}

func (r *resolver) text(key, def string) string {
	if v, ok := r.lookup(key); ok && len(v) > 0 {
		return v[len(v)-1]
	}
	return def
}

func (r *resolver) number(key string, def int) int {
	s := r.text(key, "")
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		r.failf("%s must be a whole number, not %q", key, s)
		return def
	}
	return n
}

func (r *resolver) boolean(key string) bool {
	s := r.text(key, "")
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(strings.TrimSpace(s))
	if err != nil {
		r.failf("%s must be true or false, not %q", key, s)
	}
	return b
}

// list splits each value at commas, as the reference does for flags and variables.
func (r *resolver) list(key string) []string {
	values, _ := r.lookup(key)
	var out []string
	for _, v := range values {
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// appURL adds the scheme that may be left out and refuses what no app can be at.
func (r *resolver) appURL(s string) string {
	full := s
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		r.failf("sdk-url must be an http or https URL, not %q", s)
	}
	return full
}
