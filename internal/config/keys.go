package config

import "strings"

// setting is one key: how it is spelled, and what is known of it besides its value.
type setting struct {
	// key is the flag's name, the reference's flat key in files, and in capitals after
	// INNGEST_ the variable.
	key string
	// env are further variables, weaker than INNGEST_<KEY> (spec 06 §8.3).
	env []string
	// paths are further spellings in files: sections and what was in CUE files (spec 06
	// §8.4). A leading ! says that the value means the opposite.
	paths []string
	// secret values are never shown; they are passwords as a whole. URLs are shown
	// without theirs.
	secret bool
	use    use
}

// use marks the settings that have no effect in this version.
type use uint8

const (
	// ignored settings change nothing, and whoever sets them is told so.
	ignored use = iota + 1
	// fulfilled settings change nothing because what they ask for is so anyway.
	fulfilled
)

// settings are all keys, in the order in which they are shown.
var settings = []setting{
	{key: "log-level", paths: []string{"log.level"}},
	{key: "log-format", paths: []string{"log.format"}},
	{key: "verbose"},
	{key: "json"},

	{key: "host", env: []string{envAddr}, paths: []string{"event_api.addr"}},
	{key: "port", env: []string{envAddr}, paths: []string{"event_api.port"}},
	{key: "sdk-url", env: []string{"INNGEST_URLS"}, paths: []string{"urls", "apps.urls"}},
	{key: "no-discovery", paths: []string{"!dev.discovery"}},
	{key: "no-poll", paths: []string{"!dev.poll"}},
	{key: "poll-interval", paths: []string{"dev.poll_interval"}},
	{key: "no-ui", paths: []string{"!ui.enabled"}},

	{key: "signing-key", secret: true, paths: []string{"auth.signing_key"}},
	{key: "signing-key-fallback", secret: true, paths: []string{"auth.signing_key_fallback"}},
	{key: "event-key", secret: true, paths: []string{"auth.event_keys"}},
	// The reference's driver has a key of its own, which stands in for signing-key.
	{key: "driver-signing-key", secret: true, paths: []string{"execution.drivers.http.signing_key"}},

	{key: "data-dir"},
	{key: "ephemeral"},
	{key: "sync"},
	{key: "sqlite-dir", paths: []string{"cqrs.sqlite_dir"}},
	{key: "postgres-uri", env: []string{"INNGEST_DATABASE_URL"}, paths: []string{"cqrs.database_url", "datastore.service.URI"}},
	{key: "postgres-max-idle-conns", paths: []string{"cqrs.max_idle_conns"}},
	{key: "postgres-max-open-conns", paths: []string{"cqrs.max_open_conns"}},
	{key: "postgres-conn-max-idle-time", paths: []string{"cqrs.conn_max_idle_time"}},
	{key: "postgres-conn-max-lifetime", paths: []string{"cqrs.conn_max_lifetime"}},
	{key: "history-run-age"},
	{key: "history-run-count"},
	{key: "history-event-age"},
	{key: "history-event-count"},
	{key: "history-dry-run"},
	{key: "redis-uri", env: []string{"INNGEST_REDIS_URL"}, paths: []string{"state.redis_url", "state.redis.url", "state.service.dsn", "queue.redis_url", "queue.service.dsn"}},
	{key: "state-backend", paths: []string{"state.backend", "state.service.backend"}},
	{key: "queue-backend", paths: []string{"queue.backend", "queue.service.backend"}},

	{key: "queue-workers", paths: []string{"queue.workers", "queue.service.concurrency"}},
	{key: "retry-interval", paths: []string{"execution.retry_interval"}},
	{key: "request-timeout", paths: []string{"execution.request_timeout", "execution.drivers.http.timeout"}},
	{key: "max-backlog"},
	{key: "max-function-backlog"},
	{key: "shutdown-grace-period", paths: []string{"shutdown.grace_period"}},
	{key: "admin-addr"},
	{key: "experimental-prom-metrics"},

	{key: "persist", use: fulfilled, paths: []string{"dev.persist"}}, // data is always durable
	{key: "tick", use: fulfilled, paths: []string{"queue.tick"}},     // nothing polls
	{key: "core-api", use: fulfilled, paths: []string{"core_api.addr", "core_api.port"}},
	{key: "drivers", use: fulfilled, paths: []string{"execution.drivers.http.name", "execution.drivers.connect.name"}},
	{key: "cqrs-backend", use: fulfilled, paths: []string{"cqrs.backend", "datastore.service.backend"}}, // the URL decides
	{key: "eventstream", use: fulfilled, paths: []string{"eventstream.backend", "eventstream.service.backend", "eventstream.service.topic"}},
	{key: "config-strict", use: fulfilled},
	{key: "expand-env", use: fulfilled},

	{key: "connect-gateway-port", use: ignored, paths: []string{"connect.gateway_port"}},
	{key: "connect-gateway-grpc-port", use: ignored, paths: []string{"connect.gateway_grpc_port"}},
	{key: "connect-executor-grpc-port", use: ignored, paths: []string{"connect.executor_grpc_port"}},
	{key: "connect-gateway-grpc-ip", use: ignored, paths: []string{"connect.gateway_grpc_ip"}},
	{key: "connect-executor-grpc-ip", use: ignored, paths: []string{"connect.executor_grpc_ip"}},
	{key: "debug-api-port", use: ignored, paths: []string{"debug.api_port"}},
	{key: "system-trace-endpoint", paths: []string{"tracing.system_endpoint"}},
	{key: "system-trace-url-path", paths: []string{"tracing.system_url_path"}},
	{key: "event-max-size", use: ignored, paths: []string{"event_api.max_size", "eventAPI.maxSize"}},
	{key: "log-output", use: ignored, paths: []string{"execution.log_output"}},
	{key: "concurrency-limit", use: ignored, paths: []string{"execution.concurrency_limit"}},
	{key: "queue-batch-size", use: ignored, paths: []string{"queue.batch_size"}},
	{key: "redis-pool-size", use: ignored, paths: []string{"state.redis.pool_size", "state.service.poolSize"}},
	{key: "redis-connection-timeout", use: ignored, paths: []string{"state.redis.connection_timeout"}},
	{key: "redis-key-prefix", use: ignored, paths: []string{"state.redis.key_prefix", "state.service.keyPrefix"}},

	// Of `ingot api` and of the reference's, which read the same file.
	{key: "api-host", use: fulfilled},
	{key: "api-port", use: fulfilled},
	{key: "prod", use: fulfilled},
}

// foreign are INNGEST_ variables that SDKs and the reference's tools read. A
// container may have them in its environment; they are no misspelled settings.
var foreign = []string{
	"INNGEST_CONFIG", "INNGEST_DEV", "INNGEST_ENV", "INNGEST_API", "INNGEST_API_KEY", "INNGEST_API_BASE_URL", "INNGEST_EVENT_API_BASE_URL",
	"INNGEST_BASE_URL", "INNGEST_SERVE_HOST", "INNGEST_SERVE_ORIGIN", "INNGEST_SERVE_PATH", "INNGEST_STREAMING",
	"INNGEST_LOG_LEVEL", "INNGEST_FEATURE_FLAGS", "INNGEST_INSTALL_METHOD", "INNGEST_NO_UPDATE_NOTIFIER", "INNGEST_AUTH_TOKEN",
	"INNGEST_DSN_PREFIX", "INNGEST_ALLOW_IN_BAND_SYNC",
}

// spelling is what a path in a file means.
type spelling struct {
	*setting
	negated bool
}

// byKey and byPath find settings; paths are in the form that fold gives them.
var byKey, byPath = index()

func index() (keys map[string]*setting, paths map[string]spelling) {
	keys, paths = map[string]*setting{}, map[string]spelling{}
	for i := range settings {
		s := &settings[i]
		keys[s.key] = s
		paths[fold(s.key)] = spelling{setting: s}
		for _, p := range s.paths {
			p, negated := strings.CutPrefix(p, "!")
			paths[fold(p)] = spelling{s, negated}
		}
	}
	return keys, paths
}

// fold makes kebab-case, snake_case and camelCase one (spec 06 §8.2).
func fold(path string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(path))
}

// EnvName is the variable of a key: INNGEST_ and the key in upper case.
func EnvName(key string) string {
	return "INNGEST_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}
