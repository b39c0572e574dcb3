package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// attempt is how the reference started with some options.
type attempt struct {
	Args     []string
	Env      map[string]string
	Running  bool   `json:"still_running_after_4s"`
	ExitCode int    `json:"exit_code"`
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
}

func (a *attempt) String() string { return strings.Join(a.Args, " ") }

// has reports whether the attempt has these arguments one after the other.
func (a *attempt) has(args ...string) bool {
	for i := range a.Args {
		if len(a.Args[i:]) >= len(args) && slices.Equal(a.Args[i:i+len(args)], args) {
			return true
		}
	}
	return false
}

// deliberate says what is printed instead where this differs on purpose.
func (a *attempt) deliberate() (stdout string, ok bool) {
	switch {
	case !a.has("start"):
	case !a.has("--signing-key") && !a.has("--event-key"):
		return "Error: signing-key is required\nError: at least one event-key is required\n", true // all that is wrong at once
	case a.has("--event-key", ""):
		return "Error: at least one event-key is required\n", true // the reference takes the empty text for a key
	case a.has("--redis-uri"):
		return "redis-uri (flag --redis-uri): this version keeps queue and state durably on its own disk (data-dir) and cannot use Redis yet; " +
			"remove the setting to run on one node, or wait for a version with clustering\n", true
	}
	return "", false
}

// TestGoldenStartupErrors replays how the reference refuses bad or missing options.
func TestGoldenStartupErrors(t *testing.T) {
	text, err := os.ReadFile("testdata/startup-errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Runs []attempt }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	same, different := 0, 0
	for _, a := range golden.Runs {
		want, differs := a.deliberate()
		if a.Running && !differs || len(a.Args) == 0 {
			continue // a server that runs, or the help: other tests
		}
		var out, errOut buffer
		code := run(context.Background(), append([]string{"ingot"}, a.Args...), streams{out: &out, err: &errOut})
		if !differs {
			want = strings.ReplaceAll(a.Stdout, "inngest version", "ingot version")
		}
		wantCode := a.ExitCode
		if a.Running {
			wantCode = exitError
		}
		if code != wantCode || out.String() != want {
			t.Errorf("%v: exit code %d, stdout %q; want %d, %q", &a, code, out.String(), wantCode, want)
		}
		if !differs && errOut.String() != a.Stderr {
			t.Errorf("%v: stderr %q, want %q", &a, errOut.String(), a.Stderr)
		}
		if differs {
			different++
		} else {
			same++
		}
	}
	t.Logf("golden/ops/startup-errors.json: %d as recorded, %d deliberate differences", same, different)
	if same < 9 {
		t.Errorf("only %d attempts were compared", same)
	}
}

func TestStartServes(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("INNGEST_EVENT_KEY", "one,two")
	t.Setenv("INNGEST_SQLITE_DIR", "db")
	out, errOut, stop := startServer(t, true, "start", "--port", "0", "--signing-key", "feedfacecafe", "--no-ui", "--connect-gateway-port", "1", "--json")
	base := "http://" + addr(t, errOut.String())
	for path, want := range map[string]int{"/health": 200, "/ready": 200, "/dev": 401, "/": 404} {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || res.Header.Get("X-Inngest-Server-Kind") != "cloud" {
			t.Errorf("%s: %d, kind %q", path, res.StatusCode, res.Header.Get("X-Inngest-Server-Kind"))
		}
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"Ingot server online at 127.0.0.1:", "web UI and GraphQL API endpoint disabled", "/e/$INNGEST_EVENT_KEY"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the banner lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out.String()+errOut.String(), "feedfacecafe") {
		t.Errorf("the signing key is shown:\n%s\n%s", out, errOut)
	}
	if !strings.Contains(errOut.String(), `"setting":"connect-gateway-port"`) {
		t.Errorf("no warning about the gateway:\n%s", errOut)
	}
	if _, err := os.Stat("db/ingot"); err != nil {
		t.Errorf("data is not where sqlite-dir is: %v", err)
	}
}

func TestPrintConfig(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("INNGEST_EVENT_KEY", "hunter2")
	if err := os.WriteFile("inngest.toml", []byte("[queue]\nworkers = 7\n[auth]\nsigning_key = \"cafe\"\n[stat]\nx = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut buffer
	if code := run(t.Context(), strings.Fields("ingot start --port 9000 --print-config"), streams{out: &out, err: &errOut}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"port: 9000 # flag --port\n", "queue-workers: 7 # file ", "signing-key: (redacted) # file ", "event-key: [(redacted)] # env INNGEST_EVENT_KEY\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if !strings.Contains(errOut.String(), `unknown config key \"stat.x\"`) {
		t.Errorf("no warning about an unknown key: %s", &errOut)
	}

	out = buffer{}
	if code := run(t.Context(), strings.Fields("ingot start --signing-key x --print-config"), streams{out: &out, err: &errOut}); code != exitError {
		t.Errorf("exit code %d of a bad configuration", code)
	}
	if got := out.String(); !strings.Contains(got, "port: 8288 # default\n") || !strings.HasSuffix(got, "Error: signing-key must be hex string with even number of chars\n") {
		t.Errorf("got\n%s", got)
	}
}
