package server

import (
	"cmp"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"ingot/internal/config"
)

const (
	signingKey  = "0123456789abcdef0123456789abcdef"
	fallbackKey = "signkey-prod-aabb"
)

// startConfig is testConfig for start mode.
func startConfig(t *testing.T) Config {
	t.Helper()
	cfg := testConfig(t.TempDir())
	cfg.Mode = config.ModeStart
	cfg.SigningKey, cfg.FallbackKey, cfg.EventKeys = signingKey, fallbackKey, []string{"eventkey01", "eventkey02"}
	return cfg
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a request with headers as name, value, name, value.
func ask(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// recorded is an exchange with the reference.
type recorded struct {
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         string
	}
	Status  int
	Headers map[string]any // a text, or a list of them
	Body    struct{ Raw string }
}

func load(t *testing.T, file string) map[string]recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Responses map[string]recorded }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Responses
}

// elsewhere are recordings of surfaces that have tests of their own, or tell of apps that
// the recorded server had: here the status counts. It is the recorded one but where
// something else is wanted.
var elsewhere = map[string]int{
	"v2 apps auth": 0, "v2 apps no auth": 0, "v2 keys events": 0, "v2 keys signing": 0, "prom auth": 0, "v1 events": 0,
	"gql playground": 0, "gql createApp auth": 0,
	"gql createApp no auth": http.StatusUnauthorized, // the reference leaves GraphQL open
}

// TestGoldenStart replays what was recorded of the reference's start mode.
func TestGoldenStart(t *testing.T) {
	for file, noUI := range map[string]bool{"start-endpoints.json": false, "start-no-ui-endpoints.json": true} {
		cfg := startConfig(t)
		cfg.NoUI = noUI
		s := start(t, cfg)
		passed, all := 0, load(t, file)
		for name, x := range all {
			var headers []string
			for k, v := range x.Request.Headers {
				headers = append(headers, k, strings.ReplaceAll(v, "<HEX32:1>", signingKey))
			}
			got := ask(t, x.Request.Method, "http://"+s.Addr()+x.Request.Path, x.Request.Body, headers...)
			wanted, statusOnly := elsewhere[name]
			x.Status = cmp.Or(wanted, x.Status)
			if why := compare(&x, got, statusOnly); why != "" {
				t.Errorf("%s, %s: %s", file, name, why)
			} else {
				passed++
			}
		}
		t.Logf("golden/ops/%s: %d/%d passed", file, passed, len(all))
		stop(t, s)
	}
}

var metricValue = regexp.MustCompile(`(?m) \d+\n`)

func compare(x *recorded, got answer, statusOnly bool) string {
	if got.status != x.Status {
		return "status " + http.StatusText(got.status) + ", want " + http.StatusText(x.Status)
	}
	if statusOnly {
		return ""
	}
	for _, h := range []string{"Content-Type", "X-Inngest-Server-Kind", "X-Content-Type-Options"} {
		if want, _ := x.Headers[h].(string); got.header.Get(h) != want {
			return h + " " + got.header.Get(h) + ", want " + want
		}
	}
	body, want := got.body, x.Body.Raw
	if x.Request.Path == "/metrics" { // ours has more, behind the reference's
		body, want = metricValue.ReplaceAllString(body, " N\n"), metricValue.ReplaceAllString(want, " N\n")
		body = body[:min(len(body), len(want))]
	}
	if body != want {
		return "body " + body + ", want " + want
	}
	return ""
}

// TestNothingIsOpen asks without a key for all that shows or changes something.
func TestNothingIsOpen(t *testing.T) {
	s := start(t, startConfig(t))
	defer stop(t, s)
	for _, path := range []string{
		"/dev", "/v0/gql", "/v0/gql?query={apps{id}}", "/mcp", "/fn/register", "/fn/remove", "/fn/step-limit",
		"/v1/events", "/v1/runs/01HZZZZZZZZZZZZZZZZZZZZZZZ", "/v1/events/01HZZZZZZZZZZZZZZZZZZZZZZZ/runs", "/v1/functions", "/v1/apps", "/v1/signals",
		"/v0/runs/01HZZZZZZZZZZZZZZZZZZZZZZZ/batch", "/v2/health", "/api/v2/apps", "/api/v2/runs", "/api/v2/keys/signing",
		"/debug/pprof/", "/debug/vars",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			for name, header := range map[string]string{"no key": "", "a wrong key": "Bearer abcdef", "an event key": "Bearer eventkey01", "a wrong password": "Basic YTpi"} {
				got := ask(t, method, "http://"+s.Addr()+path, `{"query":"{apps{id}}"}`, "Authorization", header, "Content-Type", "application/json")
				ui := method == http.MethodGet && strings.Contains(got.body, "has no web UI")
				if got.status < 400 && !ui {
					t.Errorf("%s %s with %s: %d %s", method, path, name, got.status, got.body)
				}
			}
		}
	}
	for _, header := range []string{"Bearer " + signingKey, "Bearer " + fallbackKey, "Bearer signkey-x-aabb", "Basic YW5uYTphYWJi"} {
		if got := ask(t, http.MethodGet, "http://"+s.Addr()+"/dev", "", "Authorization", header); got.status != http.StatusNotFound {
			t.Errorf("with %s: %d %s", header, got.status, got.body)
		}
	}
}

func TestEventKeys(t *testing.T) {
	s := start(t, startConfig(t))
	defer stop(t, s)
	for key, want := range map[string]int{"eventkey01": 200, "eventkey02": 200, "nope": 401, "%20": 401} {
		if got := ask(t, http.MethodPost, "http://"+s.Addr()+"/e/"+key, `{"name":"a"}`); got.status != want {
			t.Errorf("%s: %d %s", key, got.status, got.body)
		}
	}
	got := ask(t, http.MethodGet, "http://"+s.Addr()+"/metrics", "")
	for _, want := range []string{"\ningot_events_accepted_total 2\n", "\ningot_store_failed 0\n", "\ningot_runs_scheduled_total ", "\ngo_goroutines ", "\ningot_history_lag_seconds ", "\ningot_functions_paused 0\n"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %q in the metrics\n%s", want, got.body)
		}
	}
}

// TestStartTakesNoOtherPort: other programs know where a production server is.
func TestStartTakesNoOtherPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := startConfig(t)
	cfg.Port = ln.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), cfg)
	if want := "service api errored: listen tcp " + ln.Addr().String() + ": bind: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}
