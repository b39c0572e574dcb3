package config

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, name, text string, getenv func(string) string) (*File, error) {
	t.Helper()
	return ReadFile(write(t, filepath.Join(t.TempDir(), name), text), getenv)
}

func TestReadFlatKeys(t *testing.T) {
	t.Parallel()
	want := map[string][]string{"port": {"9000"}, "sdk-url": {"http://a", "http://b"}, "no-poll": {"true"}}
	for name, text := range map[string]string{
		"c.json": `{"port": 9000, "urls": ["http://a", "http://b"], "no-poll": true, "host": null}`,
		"c.yaml": "port: 9000\nsdk-url: [http://a, http://b]\nno-poll: true\n",
		"c.toml": "port = 9_000\nsdk_url = ['http://a', 'http://b']\nno-poll = true\n",
		"toml":   "port = 9000\nurls = ['http://a', 'http://b']\nno-poll = true\n",
		"yaml":   "port: 9000\nurls:\n- http://a\n- http://b\nno-poll: true\n",
		"json":   ` {"port": 9000, "sdkUrl": ["http://a", "http://b"], "no-poll": true}`,
	} {
		f, err := read(t, name, text, env())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(f.Values, want) || len(f.Warnings) > 0 {
			t.Errorf("%s: got %v, warnings %q", name, f.Values, f.Warnings)
		}
	}
}

// TestShapes: the same configuration in sections, in flat keys with sections, and in the
// shape of CUE files (spec 06, appendix D).
func TestShapes(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"log-level": {"info"}, "log-format": {"json"}, "host": {"0.0.0.0"}, "port": {"8288"}, "log-output": {"false"},
		"concurrency-limit": {"1000"}, "request-timeout": {"7200"}, "driver-signing-key": {"0123456789abcdef"},
		"redis-uri": {"redis://localhost:6379/0"}, "queue-workers": {"100"}, "queue-batch-size": {"50"},
		"redis-pool-size": {"10"}, "redis-connection-timeout": {"5"},
		"postgres-uri": {"postgres://user:pass@localhost:5432/inngest"}, "no-ui": {"true"}, "no-discovery": {"false"},
	}
	for name, text := range map[string]string{
		"c.toml": `
[log]
level = "info"
format = "json"
[event_api]
addr = "0.0.0.0"
port = 8288
[execution]
log_output = false
concurrency_limit = 1000
request_timeout = 7200
[execution.drivers.http]
signing_key = "0123456789abcdef"
[state]
redis_url = "redis://localhost:6379/0"
[state.redis]
pool_size = 10
connection_timeout = 5
[queue]
redis_url = "redis://localhost:6379/0"
workers = 100
batch_size = 50
[cqrs]
database_url = "postgres://user:pass@localhost:5432/inngest"
[ui]
enabled = false
[dev]
discovery = true
`,
		"c.yaml": `
host: 0.0.0.0
port: 8288
redis-uri: redis://localhost:6379/0
postgres-uri: postgres://user:pass@localhost:5432/inngest
queue-workers: 100
no-ui: true
no-discovery: false
log: { level: info, format: json }
execution:
  log_output: false
  concurrency_limit: 1000
  request_timeout: 7200
  drivers: { http: { signing_key: 0123456789abcdef } }
state: { redis: { pool_size: 10, connection_timeout: 5 } }
queue: { batch_size: 50 }
`,
		"c.json": `{
  "log": {"level": "info", "format": "json"},
  "eventAPI": {"addr": "0.0.0.0", "port": 8288},
  "execution": {"logOutput": false, "concurrency_limit": 1000,
    "drivers": {"http": {"name": "http", "timeout": 7200, "signingKey": "0123456789${TAIL}"}, "connect": {"name": "connect"}}},
  "state": {"service": {"dsn": "redis://localhost:6379/0", "poolSize": 10}, "redis": {"connection_timeout": 5}},
  "queue": {"service": {"dsn": "redis://localhost:6379/0"}, "workers": 100, "batch_size": 50},
  "dataStore": {"service": {"URI": "postgres://user:$PASSWORD@localhost:5432/inngest"}},
  "ui": {"enabled": false}, "dev": {"discovery": true}
}`,
	} {
		f, err := read(t, name, text, env("TAIL", "abcdef", "PASSWORD", "pass"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		delete(f.Values, "drivers")
		if !reflect.DeepEqual(f.Values, want) || len(f.Warnings) > 0 {
			t.Errorf("%s: got %v\nwarnings %q", name, f.Values, f.Warnings)
		}
	}
}

func TestVariablesAreExpandedOnRequest(t *testing.T) {
	t.Parallel()
	getenv := env("DIR", "/d")
	f, err := read(t, "c.yaml", "data-dir: $DIR/x", getenv)
	if err != nil || f.Values["data-dir"][0] != "$DIR/x" {
		t.Errorf("%v, %v", f, err)
	}
	f, err = read(t, "c.yaml", "expand_env: true\ndata-dir: $DIR/x", getenv)
	if err != nil || f.Values["data-dir"][0] != "/d/x" {
		t.Errorf("%v, %v", f, err)
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	const text = "sdk-ulr: x\nstate:\n  redis_urll: y\nwhatever: 1\n"
	f, err := read(t, "c.yaml", text, env())
	if err != nil || len(f.Warnings) != 3 {
		t.Fatalf("%v, warnings %q", err, f.Warnings)
	}
	for i, want := range []string{`"sdk-ulr" in `, `"state.redis_urll" in `, `"whatever" in `} {
		if !strings.Contains(f.Warnings[i], want) {
			t.Errorf("warning %q, want %s", f.Warnings[i], want)
		}
	}
	if !strings.Contains(f.Warnings[0], `did you mean "sdk-url"?`) || !strings.Contains(f.Warnings[1], `did you mean "state.redis_url"?`) || strings.Contains(f.Warnings[2], "did you mean") {
		t.Errorf("warnings %q", f.Warnings)
	}
	for name, strict := range map[string]func() (*File, error){
		"in the file": func() (*File, error) { return read(t, "c.yaml", text+"config_strict: true\n", env()) },
		"by variable": func() (*File, error) { return read(t, "c.yaml", text, env("INNGEST_CONFIG_STRICT", "1")) },
	} {
		if _, err := strict(); err == nil || !strings.Contains(err.Error(), `unknown config key "sdk-ulr"`) {
			t.Errorf("strict %s: %v", name, err)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"c.json", `{"port": 1, "event_api": {"port": 2}}`, "config key port set twice: event_api.port, port"},
		{"c.json", `{"port": [[1]]}`, "config key port must be a single value"},
		{"c.yaml", "port: {1: 2}", "config key port must be a single value"},
		{"c.json", `{} {}`, "error parsing config file: there is something behind the object"},
		{"c.json", `[]`, "error parsing config file: json:"},
		{"c.toml", "[[port]]\nx = 1", "config key port must be a single value"},
		{"c.toml", "port = ", "error parsing config file: toml: "},
		{"c.cue", "package main", "CUE is not supported"},
		{"nothing", "a: b: c", "config file must be JSON, YAML or TOML"},
		{"big.yaml", strings.Repeat("#", maxFileSize+1), "larger than 1048576 bytes"},
	} {
		if _, err := read(t, tc.name, tc.text, env()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %.40s: %v, want %s", tc.name, tc.text, err, tc.want)
		}
	}
	if f, err := read(t, "c.json", `{"port": 1, "event_api": {"port": 1}}`, env()); err != nil || f.Values["port"][0] != "1" {
		t.Errorf("two equal spellings: %v, %v", f, err)
	}
}

func TestFindFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	home := filepath.Join(root, "home")
	write(t, filepath.Join(deep, "inngest.json"), "{broken")
	yml := write(t, filepath.Join(root, "a", "inngest.yml"), "port: 1")
	write(t, filepath.Join(root, "a", "inngest.toml"), "port = 3")
	homely := write(t, filepath.Join(home, ".config", "inngest", "inngest.yaml"), "port: 2")

	f, warnings, err := FindFile("", deep, home, env())
	if err != nil || f == nil || f.Path != yml {
		t.Fatalf("got %+v, %v; want the parent's file", f, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "inngest.json") {
		t.Errorf("warnings %q do not name the broken file", warnings)
	}
	if f, _, err = FindFile("", "", home, env()); err != nil || f == nil || f.Path != homely {
		t.Errorf("got %+v, %v; want the home's file", f, err)
	}
	if _, _, err = FindFile(filepath.Join(deep, "inngest.json"), "", "", env()); err == nil || !strings.Contains(err.Error(), "error parsing config file") {
		t.Errorf("a broken explicit file gave %v", err)
	}
	if _, _, err = FindFile(filepath.Join(deep, "missing.json"), "", "", env()); err == nil || !strings.Contains(err.Error(), "error reading config file") {
		t.Errorf("a missing explicit file gave %v", err)
	}
}

// FuzzFile: no file makes the program panic, and what is read can be loaded and printed.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		`{"port": 1, "state": {"service": {"dsn": "redis://${X}"}}, "event-key": ["a", 1, null]}`,
		"[queue]\nworkers = 1\n[[x]]\ny = 1979-05-27T07:32:00Z\n", "a: &x [1, *x]\nport: 0x10\n", "config_strict: true\nurls: {}\n",
	} {
		for format := range byte(4) {
			f.Add([]byte(text), format)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, format byte) {
		raw, err := parse(text, []string{".json", ".yaml", ".toml", ""}[format%4])
		if err != nil {
			return
		}
		file, err := newFile("x", raw, env("X", "y"))
		if err != nil {
			return
		}
		for _, mode := range []Mode{ModeDev, ModeStart} {
			l, _ := Load(mode, Sources{Getenv: env(), File: file})
			if err := Print(io.Discard, l.Settings); err != nil {
				t.Error(err)
			}
		}
	})
}
