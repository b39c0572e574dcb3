package config

import (
	"encoding/hex"
	"net"
	"regexp"
	"slices"
	"strings"
)

// check finds what no server can run with. Texts are the reference's where it has
// one (spec 06 §5.1).
func (r *resolver) check(c *Config) {
	if c.PollInterval < 0 {
		r.failf("poll-interval must not be negative")
	}
	if c.Port < 0 || c.Port > 65535 {
		if c.Mode == ModeDev {
			r.failf("could not find open port for dev server api: invalid port %d", c.Port)
		} else {
			r.failf("service api errored: listen tcp: address %d: invalid port", c.Port)
		}
	}
	if c.Workers < 1 {
		r.failf("queue-workers (%d) must be at least 1", c.Workers)
	}
	if c.CallTimeout <= 0 {
		r.failf("request-timeout (%s) must be positive", c.CallTimeout)
	}
	r.checkBound("max-backlog", c.MaxBacklog)
	r.checkBound("history-run-count", c.Retention.RunCount)
	r.checkBound("history-event-count", c.Retention.EventCount)
	if c.Retention.RunAge < 0 || c.Retention.EventAge < 0 {
		r.failf("history-run-age and history-event-age must not be negative")
	}
	r.checkBound("max-function-backlog", c.MaxFunctionBacklog)
	if c.Sync != SyncAlways && c.Sync != SyncInterval {
		r.failf("sync must be %q or %q, not %q", SyncAlways, SyncInterval, c.Sync)
	}
	if c.DataDir == "" {
		r.failf("data-dir must not be empty")
	}
	for i, u := range c.SDKURLs {
		c.SDKURLs[i] = r.appURL(u)
	}
	r.checkDatabase(&c.Database)
	r.checkRedis(c.Mode)
	r.checkIP("connect-gateway-grpc-ip", "connect gateway gRPC IP")
	r.checkIP("connect-executor-grpc-ip", "connect executor gRPC IP")
}

func (r *resolver) checkBound(key string, n int) {
	if n < 0 {
		r.failf("%s (%d) must be at least 1, or 0 for no bound", key, n)
	}
}

func (r *resolver) checkDatabase(d *Database) {
	if d.MaxOpenConns <= 1 {
		r.failf("Error: postgres-max-open-conns (%d) must be greater than 1", d.MaxOpenConns)
	}
	if d.MaxIdleConns > d.MaxOpenConns {
		r.failf("Error: postgres-max-idle-conns (%d) cannot be greater than postgres-max-open-conns (%d)", d.MaxIdleConns, d.MaxOpenConns)
	}
	if u := d.PostgresURI; u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		r.failf("unsupported database URL: %s", MaskURL(u))
	}
}

// checkRedis refuses what would make runs live elsewhere than people think. In dev the
// reference does not read these settings either.
func (r *resolver) checkRedis(mode Mode) {
	const instead = "this version keeps queue and state durably on its own disk (data-dir) and cannot use Redis yet; " +
		"remove the setting to run on one node, or wait for a version with clustering"
	redis, source := r.lookup("redis-uri")
	if mode == ModeStart && last(redis) != "" {
		r.failf("redis-uri (%s): %s", source, instead)
	}
	for _, part := range []string{"state", "queue"} {
		values, source := r.lookup(part + "-backend")
		switch b := strings.ToLower(last(values)); {
		case slices.Contains([]string{"", "memory", "inmemory", "in-memory", "embedded", "local"}, b):
		case b != "redis":
			r.failf("unknown %s backend: %s", part, b)
		case mode == ModeStart:
			r.failf("%s-backend (%s): %s", part, source, instead)
		}
	}
}

func (r *resolver) checkIP(key, name string) {
	if values, _ := r.lookup(key); last(values) != "" && net.ParseIP(last(values)) == nil {
		r.failf("invalid %s %q: must be an IP address", name, last(values))
	}
}

// loadKeys reads the keys that start mode cannot do without.
func (r *resolver) loadKeys(c *Config) {
	c.SigningKey = strings.TrimSpace(r.text("signing-key", ""))
	driver, _ := r.lookup("driver-signing-key")
	switch d := strings.TrimSpace(last(driver)); {
	case d == "" || d == c.SigningKey:
	case c.SigningKey == "":
		c.SigningKey = d
	default:
		r.warnf("the signing key of the http driver differs from signing-key, which is used")
	}
	c.FallbackKey = strings.TrimSpace(r.text("signing-key-fallback", ""))
	c.EventKeys = r.list("event-key")
	if c.SigningKey == "" {
		r.failf("Error: signing-key is required")
	}
	r.checkKey("signing-key", c.SigningKey)
	r.checkKey("signing-key-fallback", c.FallbackKey)
	if len(c.EventKeys) == 0 {
		r.failf("Error: at least one event-key is required")
	}
}

// keyPrefix is the part of a signing key that is no key material.
var keyPrefix = regexp.MustCompile(`^signkey-\w+-`)

// checkKey wants hex digits behind the prefix. The error shows one of them at most.
func (r *resolver) checkKey(name, key string) {
	digits := keyPrefix.ReplaceAllString(key, "")
	if len(digits)%2 != 0 {
		r.failf("Error: %s must be hex string with even number of chars", name)
	} else if _, err := hex.DecodeString(digits); err != nil {
		r.failf("Error: %s must be valid hex string: %w", name, err)
	} else if key != "" && digits == "" {
		r.failf("Error: %s has a prefix and nothing behind it", name)
	}
}
