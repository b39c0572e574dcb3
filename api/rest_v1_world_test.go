package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/internal/config"
	"ingot/internal/server"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// world is a server with the app that it calls.
type world struct {
	t         *testing.T
	client    *http.Client
	addr, app string
	began     time.Time
	// bound are the values of placeholders of a recording.
	bound map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(viewsApp))
	s, err := server.Start(t.Context(), server.Config{
		Config: config.Config{
			Host: "127.0.0.1", DataDir: filepath.Join(t.TempDir(), "data"), Workers: 10, Sync: config.SyncAlways, PollInterval: time.Minute,
		},
		Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		app.Close()
	})
	return &world{
		t: t, client: &http.Client{Transport: transport, Timeout: patience}, addr: s.Addr(),
		// The name that the server gives to the address (spec 01 §5.4).
		app: strings.Replace(strings.TrimPrefix(app.URL, "http://"), "127.0.0.1", "localhost", 1), began: time.Now(), bound: map[string]string{},
	}
}

// viewsApp answers calls as the recorded app did.
func viewsApp(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Steps map[string]json.RawMessage `json:"steps"`
	}
	_ = json.NewDecoder(r.Body).Decode(&call)
	w.Header().Set("X-Inngest-SDK", "js:v4.24.0")
	w.Header().Set("X-Inngest-Req-Version", "1")
	answer := func(status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	const (
		one   = "fe05bcdcdc4928012781a5f1a2a77cbb5398e106"
		sleep = "395df8f7c51f007019cb30201c49e884b46b92fa"
	)
	time.Sleep(5 * time.Millisecond) // user code takes time, as the recorded app's did
	name := r.URL.Query().Get("fnId")
	has := func(step string) bool { _, ok := call.Steps[step]; return ok }
	switch {
	case strings.HasSuffix(name, "-ok") && !has(one):
		answer(206, `[{"op":"StepRun","id":"`+one+`","name":"one","displayName":"one","data":1}]`)
	case strings.HasSuffix(name, "-ok") && !has(sleep):
		answer(206, `[{"op":"Sleep","id":"`+sleep+`","name":"1s","displayName":"z","opts":{"duration":"1s"}}]`)
	case strings.HasSuffix(name, "-ok"):
		answer(200, `{"done":true}`)
	case strings.HasSuffix(name, "-bad"):
		answer(500, `{"name":"E","message":"bad"}`)
	case strings.HasSuffix(name, "-slow"):
		answer(206, `[{"op":"Sleep","id":"`+sleep+`","name":"1h","displayName":"z","opts":{"duration":"1h"}}]`)
	case strings.HasSuffix(name, "-st"):
		answer(206, `[{"op":"StepError","id":"a0f1490a20d0211c997b44bc357e1972deab8ae3","name":"s","error":{"name":"E","message":"x"}}]`)
	default:
		answer(500, `{"name":"E","message":"x"}`)
	}
}

// register registers an app whose functions have one of the triggers each.
func (w *world) register(app string, retries int, functions [][2]string) {
	w.t.Helper()
	var list []string
	at := "http://" + w.app + "/api/inngest/" + strings.TrimPrefix(app, "golden-")
	for _, f := range functions {
		slug := app + "-" + f[0]
		list = append(list, fmt.Sprintf(
			`{"id":%q,"name":%q,"triggers":[%s],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"%s?fnId=%s&stepId=step"},"retries":{"attempts":%d}}}}`,
			slug, f[0], f[1], at, slug, retries))
	}
	w.want(200, "POST", "/fn/register", fmt.Sprintf(
		`{"url":%q,"deployType":"ping","framework":"golden","appName":%q,"sdk":"js:v4.24.0","v":"0.1","functions":[%s]}`,
		at, app, strings.Join(list, ",")))
}

// populate makes what the recorded server had.
func (w *world) populate() {
	w.t.Helper()
	w.register("golden-retry-default-backoff", 1, [][2]string{
		{"fn", `{"event":"retry-default-backoff/fn"}`}, {"st", `{"event":"retry-default-backoff/st"}`}, {"cr", `{"event":"retry-default-backoff/cr"}`},
	})
	w.register("golden-views", 0, [][2]string{
		{"ok", `{"event":"views/ok"},{"event":"views/ok2","expression":"event.data.a == 1"}`}, {"bad", `{"event":"views/bad"}`},
		{"slow", `{"event":"views/slow"}`}, {"cron", `{"cron":"0 0 1 1 *"}`},
	})
	for _, e := range []struct{ body, status string }{
		{`{"name":"retry-default-backoff/fn","data":{}}`, "Running"},
		{`{"name":"retry-default-backoff/st","data":{}}`, "Running"},
		{`{"name":"retry-default-backoff/cr","data":{}}`, "Running"},
		{`{"name":"views/slow","data":{}}`, "Running"},
		{`{"name":"views/bad","data":{"b":"x"}}`, "Failed"},
		{`{"name":"views/ok","data":{"a":1},"user":{"u":1},"v":"1"}`, "Completed"},
		{`{"name":"views/unused","data":{"c":1},"id":"custom-evt-id"}`, ""},
	} {
		id := w.send(e.body)
		if e.status != "" {
			w.await(id, e.status)
		}
	}
}

// send sends an event and returns its internal id.
func (w *world) send(event string) string {
	w.t.Helper()
	var sent struct {
		IDs []string `json:"ids"`
	}
	w.decode(w.want(200, "POST", "/e/test", event), &sent)
	return sent.IDs[0]
}

// runsOf are the runs that an event has started.
type runsOf struct {
	Data []struct {
		RunID  string          `json:"run_id"`
		Status string          `json:"status"`
		Output json.RawMessage `json:"output"`
	} `json:"data"`
}

// await waits until the only run of an event has a status, and returns its id.
func (w *world) await(event, status string) string {
	w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var runs runsOf
		body := w.want(200, "GET", "/v1/events/"+event+"/runs", "")
		w.decode(body, &runs)
		if len(runs.Data) == 1 && runs.Data[0].Status == status && w.rests(runs.Data[0].RunID, status) {
			return runs.Data[0].RunID
		}
		if time.Now().After(end) {
			w.t.Fatalf("the run does not get to %s: %s", status, body)
		}
	}
}

// rests reports whether a running run waits for something.
func (w *world) rests(run, status string) bool {
	if status != "Running" {
		return true
	}
	var jobs struct {
		Data []struct {
			Kind    string `json:"kind"`
			Attempt int    `json:"attempt"`
		} `json:"data"`
	}
	w.decode(w.want(200, "GET", "/v1/runs/"+run+"/jobs", ""), &jobs)
	return len(jobs.Data) == 1 && (jobs.Data[0].Kind == "sleep" || jobs.Data[0].Attempt > 0)
}

// wantType posts a body of a type, which must be accepted, and returns the answer.
func (w *world) wantType(contentType, path, body string) string {
	w.t.Helper()
	res, err := w.client.Post("http://"+w.addr+path, contentType, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		w.t.Fatalf("POST %s: status %d: %s %v", path, res.StatusCode, text, err)
	}
	return string(text)
}

// want sends a request and returns the body of its answer, which must have the status.
func (w *world) want(status int, method, path, body string) string {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.addr+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, res.StatusCode, status, text)
	}
	return string(text)
}

func (w *world) decode(body string, to any) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(body), to); err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
}
