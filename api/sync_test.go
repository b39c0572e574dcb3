package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ingot/engine"
	"ingot/internal/golden"

	"github.com/valyala/fasthttp"
)

// fakeApps is an AppClient whose apps are functions by URL.
type fakeApps struct {
	mu     sync.Mutex
	apps   map[string]func() (int, string)
	pings  []string
	probes []string
}

var errRefused = errors.New("connection refused")

func (f *fakeApps) Ping(_ context.Context, url string) (int, []byte, error) {
	f.mu.Lock()
	f.pings = append(f.pings, url)
	app := f.apps[url]
	f.mu.Unlock()
	if app == nil {
		return 0, nil, errRefused
	}
	status, body := app()
	return status, []byte(body), nil
}

func (f *fakeApps) Probe(_ context.Context, url string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes = append(f.probes, url)
	return f.apps[url] != nil, nil
}

// taken returns the pings since the last call, sorted.
func (f *fakeApps) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.pings
	f.pings = nil
	slices.Sort(out)
	return out
}

// sdkApp registers when it is asked to, as an SDK does, and passes errors on.
func sdkApp(s *Server, body string) func() (int, string) {
	return func() (int, string) {
		status, answer := callRegister(s, "POST", "/fn/register", nil, body)
		if status == fasthttp.StatusOK {
			return status, `{"message":"Successfully registered"}`
		}
		_, text, _ := strings.Cut(answer, `"error":"`)
		text, _, _ = strings.Cut(text, `"`)
		return status, `{"message":"` + text + `"}`
	}
}

func appBody(url, name string, functions ...string) string {
	list := make([]string, 0, len(functions))
	for _, f := range functions {
		list = append(list, fmt.Sprintf(`{"id":"%[1]s-%[2]s","name":"%[2]s","triggers":[{"event":"e"}],
			"steps":{"step":{"id":"step","name":"step","runtime":{"url":"%[3]s?fnId=%[1]s-%[2]s"}}}}`, name, f, url))
	}
	return fmt.Sprintf(`{"url":"%s","appName":"%s","sdk":"js:v4.0.0","deployType":"ping","functions":[%s]}`,
		url, name, strings.Join(list, ","))
}

// appErrors returns the errors of active apps by name, or by URL of placeholders.
func appErrors(c *engine.Catalog) map[string]string {
	out := map[string]string{}
	for _, a := range c.Snapshot().Apps {
		if !a.Active() {
			continue
		}
		name := a.Name
		if name == "" {
			name = a.URL
		}
		out[name] = a.Error
	}
	return out
}

func checkErrors(t *testing.T, c *engine.Catalog, want map[string]string) {
	t.Helper()
	got := appErrors(c)
	if len(got) != len(want) {
		t.Errorf("apps %q, want %q", got, want)
		return
	}
	for name, problem := range want {
		if g, ok := got[name]; !ok || g != problem {
			t.Errorf("apps %q, want %q", got, want)
			return
		}
	}
}

func checkPings(t *testing.T, f *fakeApps, want ...string) {
	t.Helper()
	if got := f.taken(); !slices.Equal(got, want) {
		t.Errorf("pings %q, want %q", got, want)
	}
}

const appURL = "http://localhost:3000/api/inngest"

func TestSyncURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := newRegisterServer(t)
		apps := &fakeApps{apps: map[string]func() (int, string){}}
		syncer := NewSyncer(SyncOptions{Catalog: c, Client: apps, URLs: []string{"127.0.0.1:3000/api/inngest"}, Poll: true})
		ctx, cancel := context.WithCancel(t.Context())
		go syncer.Run(ctx)
		synctest.Wait()
		checkPings(t, apps, appURL)
		checkErrors(t, c, map[string]string{appURL: "unreachable"})

		apps.mu.Lock()
		apps.apps[appURL] = sdkApp(s, appBody(appURL, "shop", "a"))
		apps.mu.Unlock()
		time.Sleep(DefaultPollInterval + time.Millisecond)
		checkPings(t, apps, appURL)
		checkErrors(t, c, map[string]string{"shop": ""})
		generation := c.Snapshot().Generation

		time.Sleep(2 * DefaultPollInterval)
		checkPings(t, apps, appURL, appURL)
		if c.Snapshot().Generation != generation {
			t.Error("polling an unchanged app writes")
		}

		apps.mu.Lock()
		delete(apps.apps, appURL)
		apps.mu.Unlock()
		time.Sleep(2 * DefaultPollInterval)
		checkErrors(t, c, map[string]string{"shop": "unreachable"})
		if c.Snapshot().Generation != generation+1 {
			t.Error("an app that stays away writes each time")
		}
		cancel()
	})
}

// TestGoldenPollErroredApp replays register/poll-errored-app: without polling,
// an app with an error is asked, a healthy one is not.
func TestGoldenPollErroredApp(t *testing.T) {
	t.Parallel()
	file := golden.Answer[registerRecording](t, "testdata/register-poll-errored-app.json.gz")
	s, c := newRegisterServer(t)
	apps := &fakeApps{apps: map[string]func() (int, string){
		"http://" + recordedHost + "/api/inngest/poll-errored-app": func() (int, string) { return 200, `{"message":"ok","modified":false}` },
	}}
	syncer := NewSyncer(SyncOptions{Catalog: c, Client: apps})
	l := uuidLabels{}
	passed := 0
	for i := range file.Exchanges {
		e := &file.Exchanges[i]
		if e.Dir == "client->server" {
			if d := replayRegister(s, e, l); d != "" {
				t.Errorf("%d: %s", e.Seq, d)
				continue
			}
		} else {
			syncer.Round(t.Context())
			checkPings(t, apps, "http://"+recordedHost+e.Request.Path)
			checkErrors(t, c, map[string]string{"golden-poll-errored-app": "sdk_version_denied"})
		}
		passed++
	}
	syncer.Round(t.Context())
	checkPings(t, apps)
	checkErrors(t, c, map[string]string{"golden-poll-errored-app": ""})
	t.Logf("poll-errored-app: %d of %d exchanges", passed, len(file.Exchanges))
}

func TestPingProblems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxProblem)
	tests := []struct {
		url    string
		status int
		body   string
		want   string
	}{
		{appURL, 200, `{}`, ""},
		{appURL, 405, ``, ""},
		{appURL, 502, `<h1>`, ""},
		{appURL, 401, ``, "unauthorized"},
		{appURL, 403, ``, "forbidden"},
		{appURL, 404, ``, "url_not_found"},
		{appURL, 500, ``, "internal_server_error"},
		{appURL, 400, `{"message":"Your signing key is invalid. x"}`, "invalid_signing_key"},
		{appURL, 400, `{"message":"No functions registered within your app"}`, "no_functions"},
		{appURL, 400, `{"message":"At least one function is invalid"}`, "invalid_function"},
		{appURL, 400, `{"message":"You didn't specify your workspace's signing key"}`, "missing_signing_key"},
		{appURL, 400, `{"message":"No INNGEST_ENV branch name found"}`, "missing_branch_env_name"},
		{appURL, 400, `{"message":"` + engine.ErrBlockedSDK.Error() + `"}`, "sdk_version_denied"},
		{appURL, 400, `{"message":"something else"}`, "something else"},
		{appURL, 400, `{"message":"x` + long + `"}`, "x" + long[:maxProblem-2]},
		{appURL, 400, `<h1>`, "internal_server_error"},
		{appURL, 400, `{}`, "internal_server_error"},
		{appURL, 0, ``, "unreachable"},
		{"ftp://localhost/x", 200, ``, "unsupported_protocol"},
		{"not%20a%20url", 200, ``, "unsupported_protocol"},
		{"http://[::1", 200, ``, "unreachable"},
	}
	for _, tt := range tests {
		apps := &fakeApps{apps: map[string]func() (int, string){}}
		if tt.status > 0 {
			apps.apps[tt.url] = func() (int, string) { return tt.status, tt.body }
		}
		syncer := NewSyncer(SyncOptions{Client: apps})
		if got, _ := syncer.ask(t.Context(), tt.url); got != tt.want {
			t.Errorf("%s %d %.60s: got %q, want %q", tt.url, tt.status, tt.body, got, tt.want)
		}
	}
}

// TestRegistrationTellsMore has an app that passes the refusal of its
// registration on: the stored error stays the exact one.
func TestRegistrationTellsMore(t *testing.T) {
	t.Parallel()
	s, c := newRegisterServer(t)
	apps := &fakeApps{apps: map[string]func() (int, string){appURL: sdkApp(s, appBody(appURL, "shop", ""))}}
	syncer := NewSyncer(SyncOptions{Catalog: c, Client: apps, URLs: []string{appURL}, Poll: true})
	if err := c.AddPlaceholder(appURL, engine.AppErrorUnreachable, false, now()); err != nil {
		t.Fatal(err)
	}
	const exact = "1 errors occurred: * A function name is required"
	for range 3 {
		syncer.Round(t.Context())
		checkErrors(t, c, map[string]string{"shop": exact})
	}
	generation := c.Snapshot().Generation
	syncer.Round(t.Context())
	if c.Snapshot().Generation != generation {
		t.Error("polling an app that stays broken writes")
	}
	apps.apps = nil
	syncer.Round(t.Context())
	checkErrors(t, c, map[string]string{"shop": "unreachable"})
}

func TestSyncRound(t *testing.T) {
	t.Parallel()
	s, c := newRegisterServer(t)
	healthy := func() (int, string) { return 200, "" }
	apps := &fakeApps{apps: map[string]func() (int, string){appURL: healthy, "http://other/api": healthy}}
	for _, body := range []string{
		appBody(appURL, "one", "a"), appBody(appURL, "two", "a"), appBody("http://other/api", "three", "a"),
		strings.Replace(appBody("ws://connect", "worker", "a"), `"deployType":"ping"`, `"deployType":"connect","capabilities":{"connect":"v1"}`, 1),
		appBody("http://gone/api", "gone", "a"),
	} {
		if status, answer := callRegister(s, "POST", "/fn/register", nil, body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if status, answer := callRegister(s, "DELETE", "/fn/remove?url=http://gone/api", nil, ""); status != 200 || answer != "" {
		t.Fatalf("%d %s", status, answer)
	}
	// Each URL once; connected workers and removed apps are left alone.
	NewSyncer(SyncOptions{Catalog: c, Client: apps, Poll: true}).Round(t.Context())
	checkPings(t, apps, appURL, "http://other/api")
	NewSyncer(SyncOptions{Catalog: c, Client: apps}).Round(t.Context())
	checkPings(t, apps)
	checkErrors(t, c, map[string]string{"one": "", "two": "", "three": "", "worker": ""})
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port //nolint:errcheck // a TCP listener
	base := fmt.Sprintf("http://localhost:%d", port)
	s, c := newRegisterServer(t)
	apps := &fakeApps{apps: map[string]func() (int, string){
		base + "/api/inngest": sdkApp(s, appBody(base+"/api/inngest", "shop", "a")),
		base + "/x/inngest":   func() (int, string) { return 401, "" },
	}}
	syncer := NewSyncer(SyncOptions{Catalog: c, Client: apps, Discover: true, Port: port})
	if !slices.Contains(syncer.ports, port) || !slices.Contains(syncer.ports, 3000) {
		t.Fatalf("ports %v", syncer.ports)
	}
	syncer.ports = []int{port}
	syncer.Round(t.Context())
	if !slices.Equal(apps.probes, []string{
		base + "/api/inngest", base + "/x/inngest", base + "/.netlify/functions/inngest", base + "/.redwood/functions/inngest",
	}) {
		t.Errorf("probes %q", apps.probes)
	}
	checkErrors(t, c, map[string]string{"shop": "", base + "/x/inngest": "unauthorized"})
	for _, a := range c.Snapshot().Apps {
		if !a.Discovered {
			t.Errorf("%+v is not marked as discovered", a)
		}
	}
	// With an app the next scan has time, and passes over what is known.
	apps.probes = nil
	syncer.Round(t.Context())
	if len(apps.probes) > 0 {
		t.Errorf("probes %q", apps.probes)
	}
	syncer.scanned = syncer.scanned.Add(-rediscoverInterval)
	syncer.Round(t.Context())
	if !slices.Equal(apps.probes, []string{base + "/.netlify/functions/inngest", base + "/.redwood/functions/inngest"}) {
		t.Errorf("probes %q", apps.probes)
	}
}

// TestSyncStoreFails has a catalog that cannot be written: rounds go on.
func TestSyncStoreFails(t *testing.T) {
	t.Parallel()
	s, c, store := newRegisterStore(t)
	if status, answer := callRegister(s, "POST", "/fn/register", nil, appBody(appURL, "shop", "a")); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	store.Fail(errors.New("disk full"))
	if status, answer := callRegister(s, "POST", "/fn/register", nil, appBody(appURL, "shop", "b")); status != 500 || !strings.Contains(answer, "Error upserting app") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := callRegister(s, "DELETE", "/fn/remove?url="+appURL, nil, ""); status != 500 || !strings.Contains(answer, "Error removing app") {
		t.Errorf("%d %s", status, answer)
	}
	apps := &fakeApps{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	NewSyncer(SyncOptions{Catalog: c, Client: apps, URLs: []string{"other:1"}, Poll: true}).Run(ctx)
	syncer := NewSyncer(SyncOptions{Catalog: c, Client: apps, Poll: true})
	syncer.found(t.Context(), "http://localhost:1/api/inngest")
	syncer.Round(t.Context())
	checkErrors(t, c, map[string]string{"shop": ""})
}
