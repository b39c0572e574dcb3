package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func defaults() Config {
	return Config{
		Port: 8288, Discovery: true, Poll: true, PollInterval: 5 * time.Second, Workers: 1000, CallTimeout: 2 * time.Hour,
		DataDir: ".ingot", Sync: SyncAlways, ShutdownGrace: 2 * time.Second,
		Database: Database{MaxIdleConns: 10, MaxOpenConns: 100, ConnMaxIdleTime: 5 * time.Minute, ConnMaxLifetime: 30 * time.Minute},
	}
}

// inFile is a file with some flat keys.
func inFile(pairs ...string) *File {
	f := &File{Path: "inngest.yaml", Values: map[string][]string{}}
	for i := 0; i < len(pairs); i += 2 {
		f.Values[pairs[i]] = append(f.Values[pairs[i]], pairs[i+1])
	}
	return f
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		src  Sources
		want func(*Config)
		warn string
	}{
		{"defaults", Sources{Getenv: env()}, func(*Config) {}, ""},
		{"file", Sources{Getenv: env(), File: inFile("port", "9000", "sdk-url", "a:1", "sdk-url", "b:2", "persist", "true")},
			func(d *Config) { d.Port = 9000; d.SDKURLs = []string{"http://a:1", "http://b:2"} }, ""},
		{"env beats file", Sources{Getenv: env("INNGEST_PORT", "9001", "INNGEST_SDK_URL", "https://a, b:2/x,"), File: inFile("port", "9000")},
			func(d *Config) { d.Port = 9001; d.SDKURLs = []string{"https://a", "http://b:2/x"} }, ""},
		{"flag beats env", Sources{Getenv: env("INNGEST_PORT", "9001"), Flags: map[string][]string{"port": {"9002"}, "sdk-url": {"x:1", "y:2"}}},
			func(d *Config) { d.Port = 9002; d.SDKURLs = []string{"http://x:1", "http://y:2"} }, ""},
		{"address", Sources{Getenv: env("INNGEST_ADDR", "127.0.0.1:9100")}, func(d *Config) { d.Host = "127.0.0.1"; d.Port = 9100 }, ""},
		{"address without port", Sources{Getenv: env("INNGEST_ADDR", "::1")}, func(d *Config) { d.Host = "::1" }, ""},
		{"conflict", Sources{Getenv: env("INNGEST_ADDR", "a:9100", "INNGEST_PORT", "9101")},
			func(d *Config) { d.Host = "a"; d.Port = 9101 }, "INNGEST_PORT is used, INNGEST_ADDR is ignored"},
		{"switches", Sources{Getenv: env("INNGEST_NO_POLL", "1", "INNGEST_NO_DISCOVERY", "true", "INNGEST_EPHEMERAL", "t")},
			func(d *Config) { d.Poll = false; d.Discovery = false; d.Ephemeral = true }, ""},
		{"intervals", Sources{Getenv: env("INNGEST_POLL_INTERVAL", "7", "INNGEST_RETRY_INTERVAL", "2", "INNGEST_QUEUE_WORKERS", "3", "INNGEST_SYNC", "interval", "INNGEST_DATA_DIR", "/d")},
			func(d *Config) {
				d.PollInterval, d.RetryInterval, d.Workers, d.Sync, d.DataDir = 7*time.Second, 2*time.Second, 3, SyncInterval, "/d"
			}, ""},
		{"admin port", Sources{Getenv: env("INNGEST_ADMIN_ADDR", "127.0.0.1:1"), File: inFile("admin-addr", "127.0.0.1:2")},
			func(d *Config) { d.AdminAddr = "127.0.0.1:1" }, ""},
		{"negative retry interval is ignored, 0 polls as by default", Sources{Getenv: env("INNGEST_RETRY_INTERVAL", "-1", "INNGEST_POLL_INTERVAL", "0")}, func(*Config) {}, ""},
		{"durations", Sources{Getenv: env("INNGEST_POLL_INTERVAL", "1m30s", "INNGEST_REQUEST_TIMEOUT", "60", "INNGEST_SHUTDOWN_GRACE_PERIOD", "0")},
			func(d *Config) {
				d.PollInterval, d.CallTimeout, d.ShutdownGrace = 90*time.Second, time.Minute, Unbounded
			}, ""},
		{"database", Sources{Getenv: env("INNGEST_SQLITE_DIR", "db", "INNGEST_DATABASE_URL", "postgresql://x", "INNGEST_POSTGRES_CONN_MAX_LIFETIME", "7"),
			Flags: map[string][]string{"postgres-max-open-conns": {"20"}, "postgres-max-idle-conns": {"20"}}},
			func(d *Config) {
				d.DataDir = filepath.Join("db", "ingot")
				d.Database = Database{SQLiteDir: "db", PostgresURI: "postgresql://x", MaxIdleConns: 20, MaxOpenConns: 20, ConnMaxIdleTime: 5 * time.Minute, ConnMaxLifetime: 7 * time.Minute}
			}, ""},
		{"misspelled variable", Sources{Getenv: env(), Environ: []string{"INNGEST_DEV=1", "INNGEST_SDK_ULR=x", "INNGEST_SOMETHING_ELSE=1", "OTHER=1"}},
			func(*Config) {}, "unknown environment variable INNGEST_SDK_ULR; did you mean INNGEST_SDK_URL?"},
		{"redis is of no interest to dev", Sources{Getenv: env("INNGEST_REDIS_URI", "redis://x")}, func(*Config) {}, ""},
		{"without effect", Sources{Getenv: env("INNGEST_DEBUG_API_PORT", "1", "INNGEST_TICK", "10")}, func(d *Config) { d.NoEffect = []string{"debug-api-port"} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tc.want(&want)
			got, err := Load(ModeDev, tc.src)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Config, want) {
				t.Errorf("got  %+v\nwant %+v", got.Config, want)
			}
			if w := strings.Join(got.Warnings, "\n"); !strings.Contains(w, tc.warn) || (tc.warn == "" && w != "") {
				t.Errorf("warnings %q, want %q", w, tc.warn)
			}
		})
	}
}

func TestLoadNamesEveryViolation(t *testing.T) {
	t.Parallel()
	_, err := Load(ModeDev, Sources{Getenv: env("INNGEST_QUEUE_WORKERS", "-5", "INNGEST_SYNC", "never", "INNGEST_SDK_URL", "ftp://x",
		"INNGEST_NO_POLL", "maybe", "INNGEST_RETRY_INTERVAL", "soon", "INNGEST_POLL_INTERVAL", "-1"),
		Flags: map[string][]string{"port": {"99999"}, "data-dir": {""}}})
	want := `retry-interval must be a number of seconds or a duration such as "90s", not "soon"
poll-interval must not be negative
could not find open port for dev server api: invalid port 99999
queue-workers (-5) must be at least 1
sync must be "always" or "interval", not "never"
data-dir must not be empty
sdk-url must be an http or https URL, not "ftp://x"`
	if err == nil || !strings.Contains(err.Error(), `no-poll must be true or false, not "maybe"`) {
		t.Fatalf("got %v", err)
	}
	got := strings.Replace(err.Error(), "no-poll must be true or false, not \"maybe\"\n", "", 1)
	if got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}
