package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ingot/internal/logging"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func defaults() Dev {
	return Dev{Port: 8288, Discovery: true, Poll: true, PollInterval: 5 * time.Second, Workers: 1000, DataDir: ".ingot", Sync: SyncAlways}
}

func TestLoadDev(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		src  Sources
		want func(*Dev)
		warn string
	}{
		{"defaults", Sources{Getenv: env()}, func(*Dev) {}, ""},
		{"file", Sources{Getenv: env(), File: map[string][]string{"port": {"9000"}, "sdk-url": {"a:1", "b:2"}, "persist": {"true"}}},
			func(d *Dev) { d.Port = 9000; d.SDKURLs = []string{"http://a:1", "http://b:2"} }, ""},
		{"env beats file", Sources{Getenv: env("INNGEST_PORT", "9001", "INNGEST_SDK_URL", "https://a, b:2/x,"), File: map[string][]string{"port": {"9000"}}},
			func(d *Dev) { d.Port = 9001; d.SDKURLs = []string{"https://a", "http://b:2/x"} }, ""},
		{"flag beats env", Sources{Getenv: env("INNGEST_PORT", "9001"), Flags: map[string][]string{"port": {"9002"}, "sdk-url": {"x:1", "y:2"}}},
			func(d *Dev) { d.Port = 9002; d.SDKURLs = []string{"http://x:1", "http://y:2"} }, ""},
		{"address", Sources{Getenv: env("INNGEST_ADDR", "127.0.0.1:9100")}, func(d *Dev) { d.Host = "127.0.0.1"; d.Port = 9100 }, ""},
		{"address without port", Sources{Getenv: env("INNGEST_ADDR", "::1")}, func(d *Dev) { d.Host = "::1" }, ""},
		{"conflict", Sources{Getenv: env("INNGEST_ADDR", "a:9100", "INNGEST_PORT", "9101")},
			func(d *Dev) { d.Host = "a"; d.Port = 9101 }, "INNGEST_PORT is used, INNGEST_ADDR is ignored"},
		{"switches", Sources{Getenv: env("INNGEST_NO_POLL", "1", "INNGEST_NO_DISCOVERY", "true", "INNGEST_EPHEMERAL", "t")},
			func(d *Dev) { d.Poll = false; d.Discovery = false; d.Ephemeral = true }, ""},
		{"intervals", Sources{Getenv: env("INNGEST_POLL_INTERVAL", "7", "INNGEST_RETRY_INTERVAL", "2", "INNGEST_QUEUE_WORKERS", "3", "INNGEST_SYNC", "interval", "INNGEST_DATA_DIR", "/d")},
			func(d *Dev) {
				d.PollInterval, d.RetryInterval, d.Workers, d.Sync, d.DataDir = 7*time.Second, 2*time.Second, 3, SyncInterval, "/d"
			}, ""},
		{"admin port", Sources{Getenv: env("INNGEST_ADMIN_ADDR", "127.0.0.1:1"), File: map[string][]string{"admin-addr": {"127.0.0.1:2"}}},
			func(d *Dev) { d.AdminAddr = "127.0.0.1:1" }, ""},
		{"negative retry interval is ignored, 0 polls as by default", Sources{Getenv: env("INNGEST_RETRY_INTERVAL", "-1", "INNGEST_POLL_INTERVAL", "0")}, func(*Dev) {}, ""},
		{"without effect", Sources{Getenv: env("INNGEST_POSTGRES_URI", "postgres://x", "INNGEST_TICK", "10")}, func(d *Dev) { d.NoEffect = []string{"postgres-uri"} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tc.want(&want)
			got, warnings, err := LoadDev(tc.src)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if w := strings.Join(warnings, "\n"); !strings.Contains(w, tc.warn) || (tc.warn == "" && w != "") {
				t.Errorf("warnings %q, want %q", w, tc.warn)
			}
		})
	}
}

func TestLoadDevNamesEveryViolation(t *testing.T) {
	t.Parallel()
	_, _, err := LoadDev(Sources{Getenv: env("INNGEST_QUEUE_WORKERS", "-5", "INNGEST_SYNC", "never", "INNGEST_SDK_URL", "ftp://x",
		"INNGEST_NO_POLL", "maybe", "INNGEST_RETRY_INTERVAL", "soon", "INNGEST_POLL_INTERVAL", "-1"),
		Flags: map[string][]string{"port": {"99999"}, "data-dir": {""}}})
	want := `retry-interval must be a whole number, not "soon"
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

func TestReadFile(t *testing.T) {
	t.Parallel()
	want := map[string][]string{"port": {"9000"}, "sdk-url": {"http://a", "http://b"}, "no-poll": {"true"}}
	for name, text := range map[string]string{
		"c.json": `{"port": 9000, "urls": ["http://a", "http://b"], "no-poll": true, "state": {"x": 1}, "odd": [[1]], "none": null}`,
		"c.yaml": "port: 9000\nsdk-url: [http://a, http://b]\nno-poll: true\nlog: {level: info}\n",
		"c":      "port: 9000\nurls:\n- http://a\n- http://b\nno-poll: true\n",
	} {
		f, err := ReadFile(write(t, filepath.Join(t.TempDir(), name), text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(f.Values, want) {
			t.Errorf("%s: got %v", name, f.Values)
		}
	}
}

func TestFindFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	home := filepath.Join(root, "home")
	write(t, filepath.Join(deep, "inngest.json"), "{broken")
	yml := write(t, filepath.Join(root, "a", "inngest.yml"), "port: 1")
	homely := write(t, filepath.Join(home, ".config", "inngest", "inngest.yaml"), "port: 2")

	f, warnings, err := FindFile("", deep, home)
	if err != nil || f == nil || f.Path != yml {
		t.Fatalf("got %+v, %v; want the parent's file", f, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "inngest.json") {
		t.Errorf("warnings %q do not name the broken file", warnings)
	}
	if f, _, err = FindFile("", "", home); err != nil || f == nil || f.Path != homely {
		t.Errorf("got %+v, %v; want the home's file", f, err)
	}
	if f, _, err = FindFile("", "", ""); f != nil || err != nil {
		t.Errorf("got %+v, %v; want nothing", f, err)
	}
	if _, _, err = FindFile(filepath.Join(deep, "inngest.json"), "", ""); err == nil || !strings.Contains(err.Error(), "error parsing config file") {
		t.Errorf("a broken explicit file gave %v", err)
	}
	if _, _, err = FindFile(filepath.Join(deep, "missing.json"), "", ""); err == nil || !strings.Contains(err.Error(), "error reading config file") {
		t.Errorf("a missing explicit file gave %v", err)
	}
}

func TestLogOptions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		flags LogFlags
		env   func(string) string
		out   bool
		want  logging.Options
	}{
		{"terminal", LogFlags{}, env(), true, logging.Options{Level: slog.LevelInfo, Color: true}},
		{"no colour", LogFlags{}, env("NO_COLOR", "1"), true, logging.Options{Level: slog.LevelInfo}},
		{"no terminal", LogFlags{}, env("LOG_HANDLER", "dev"), false, logging.Options{Format: logging.FormatJSON, Color: true}},
		{"no terminal, chosen", LogFlags{}, env("INNGEST_LOG_FORMAT", "text"), false, logging.Options{Format: logging.FormatText, Color: true}},
		{"flags", LogFlags{Level: "error", Verbose: true, JSON: true}, env("INNGEST_LOG_LEVEL", "warn"), true, logging.Options{Level: slog.LevelError, Format: logging.FormatJSON, Color: true}},
		{"verbose", LogFlags{Verbose: true}, env("LOG_HANDLER", "TXT"), true, logging.Options{Level: slog.LevelDebug, Format: logging.FormatText, Color: true}},
		{"LOG_LEVEL beats flags", LogFlags{Level: "error"}, env("LOG_LEVEL", "trace"), true, logging.Options{Level: logging.LevelTrace, Color: true}},
		{"unknown is info", LogFlags{Level: "loud"}, env("INNGEST_JSON", "true"), true, logging.Options{Format: logging.FormatJSON, Color: true}},
		{"variables", LogFlags{}, env("INNGEST_LOG_LEVEL", "warn"), true, logging.Options{Level: slog.LevelWarn, Color: true}},
		{"verbose variable", LogFlags{}, env("INNGEST_VERBOSE", "true"), true, logging.Options{Level: slog.LevelDebug, Color: true}},
	} {
		if got := LogOptions(tc.flags, tc.env, tc.out, true); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}
