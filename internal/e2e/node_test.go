package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/internal/config"
	"ingot/internal/logging"
	"ingot/internal/server"
)

// caseLimit is how long one case may take; a cron case waits for the full minute.
const caseLimit = 90 * time.Second

// appDir holds the Node app and its packages.
const appDir = "testdata/app"

// needNode skips the test, saying how to get what is missing, if there is no
// Node or the packages are not installed.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NOT TESTED with the TypeScript SDKs: node is not installed; `make test` installs it")
	}
	for _, sdk := range []string{"inngest3", "inngest4"} {
		if _, err := os.Stat(filepath.Join(appDir, "node_modules", sdk)); err != nil {
			t.Skip("NOT TESTED with the TypeScript SDKs: run `npm ci` in internal/e2e/" + appDir + " (`make test` does)")
		}
	}
}

// startServer runs a server in this process on a directory of its own; change may
// be nil.
func startServer(t *testing.T, change func(*config.Config)) (url string) {
	t.Helper()
	log := io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	dev := config.Config{
		Host: "127.0.0.1", DataDir: t.TempDir(), Workers: config.DefaultWorkers, Sync: config.SyncAlways,
		PollInterval: config.DefaultPollInterval, RetryInterval: time.Second,
	}
	if change != nil {
		change(&dev)
	}
	srv, err := server.Start(context.Background(), server.Config{
		Config: dev, Version: "e2e", Logger: logging.New(log, logging.Options{Level: slog.LevelInfo}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return "http://" + srv.Addr()
}

// nodeApp is a running app.mjs and the server that it talks to.
type nodeApp struct {
	server, url string
}

// startNode runs app.mjs against a server until the test ends.
func startNode(t *testing.T, serverURL string, args ...string) *nodeApp {
	t.Helper()
	cmd := exec.Command("node", append([]string{"app.mjs"}, args...)...)
	cmd.Dir = appDir
	cmd.Env = append(os.Environ(), "INNGEST_DEV="+serverURL, "NO_COLOR=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // the app ends when its stdin does
		_, _ = io.Copy(io.Discard, stdout)
		err := cmd.Wait()
		if t.Failed() || err != nil {
			t.Logf("node: %v\n%s", err, stderr.String())
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if port, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			go func() { // what SDKs log must not fill the pipe
				for lines.Scan() {
				}
			}()
			return &nodeApp{server: serverURL, url: "http://127.0.0.1:" + port}
		}
	}
	t.Fatalf("the app did not start: %v", lines.Err())
	return nil
}

// sync asks the app to register itself, as a deploy does.
func (a *nodeApp) sync(t *testing.T) {
	t.Helper()
	if status, body := a.trySync(t); status != http.StatusOK || !strings.Contains(body, "Successfully registered") {
		t.Fatalf("sync: status %d: %s", status, body)
	}
}

// trySync is sync where the server may refuse; it returns the SDK's answer.
func (a *nodeApp) trySync(t *testing.T) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, a.url+"/api/inngest", nil)
	if err != nil {
		t.Fatal(err)
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
	return res.StatusCode, string(text)
}

// send posts one event with data that has the case's key.
func (a *nodeApp) send(t *testing.T, name, key string, data map[string]any) {
	t.Helper()
	a.post(t, key, event{Name: name, Data: data})
}

// trySend is send where the server may be down.
func (a *nodeApp) trySend(name, key string, data map[string]any) error {
	return a.tryPost(key, event{Name: name, Data: data})
}

// event is what a test sends; the case's key is added to its data.
type event struct {
	Name string         `json:"name"`
	ID   string         `json:"id,omitempty"`
	TS   int64          `json:"ts,omitempty"` // unix ms
	Data map[string]any `json:"data"`
}

// post sends events in one request.
func (a *nodeApp) post(t *testing.T, key string, events ...event) {
	t.Helper()
	if err := a.tryPost(key, events...); err != nil {
		t.Fatal(err)
	}
}

func (a *nodeApp) tryPost(key string, events ...event) error {
	for i, ev := range events {
		data := map[string]any{"key": key}
		maps.Copy(data, ev.Data)
		events[i].Data = data
	}
	body, err := json.Marshal(events)
	if err != nil {
		return err
	}
	res, err := http.Post(a.server+"/e/test", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("sending %d events such as %s: status %d: %s", len(events), events[0].Name, res.StatusCode, text)
	}
	return nil
}

// mark is one thing that happened in the app.
type mark struct {
	What  string
	Value json.RawMessage
	At    int64 // unix ms
}

// end is the value of a `finished …` mark.
type end struct {
	RunID  string          `json:"run_id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Name, Message string
	} `json:"error"`
}

func (a *nodeApp) marks(key string) ([]mark, error) {
	res, err := http.Get(a.url + "/marks?key=" + url.QueryEscape(key))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out []mark
	return out, errors.Join(json.NewDecoder(res.Body).Decode(&out))
}

// wait returns the first mark `what` of key, once it is there.
func (a *nodeApp) wait(t *testing.T, key, what string) mark {
	t.Helper()
	deadline := time.Now().Add(caseLimit)
	for {
		all, err := a.marks(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.What == what {
				return m
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q within %v; what happened: %s", what, caseLimit, list(all))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finished waits for the end of a function's run and returns it.
func (a *nodeApp) finished(t *testing.T, key, fn string) end {
	t.Helper()
	var e end
	if err := json.Unmarshal(a.wait(t, key, "finished "+fn).Value, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// count is how often `what` happened.
func (a *nodeApp) count(t *testing.T, key, what string) int {
	t.Helper()
	all, err := a.marks(key)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range all {
		if m.What == what {
			n++
		}
	}
	return n
}

func list(all []mark) string {
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "\n  %s %s", m.What, m.Value)
	}
	return b.String()
}
