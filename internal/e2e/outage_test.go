package e2e

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
	"ingot/internal/pgtest"
	"ingot/storage/history"

	_ "modernc.org/sqlite" // to hold a database's lock
)

// outageLimit is how long one thing may take to happen.
const outageLimit = 60 * time.Second

// outage is a server process under load whose history database comes and goes.
type outage struct {
	*testing.T
	flags []string // of `ingot start`
	bin   string
	port  int
	w     *witness
	app   *rawapp.App
	proc  *rawapp.Process
	load  *load
}

// newOutage starts the server, an app and the load.
func newOutage(t *testing.T, flags ...string) *outage {
	t.Helper()
	port, err := rawapp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	o := &outage{T: t, bin: serverBinary(t), port: port, w: newWitness()}
	o.flags = append([]string{"--retry-interval", "1", "--log-level", "warn"}, flags...)
	if o.app, err = rawapp.Start("kill", o.w.handle); err != nil {
		t.Fatal(err)
	}
	o.start()
	if err := o.app.Register(t.Context(), o.proc.URL, o.w.functions()...); err != nil {
		t.Fatalf("%v\n%s", err, o.proc.Log())
	}
	o.load = startLoad(t.Context(), o.proc.URL, o.w)
	t.Cleanup(func() {
		o.load.stop()
		o.proc.Kill()
		_ = o.app.Close()
	})
	return o
}

func (o *outage) start() {
	o.Helper()
	p, err := rawapp.StartProduction(o.bin, o.port, o.flags...)
	if err != nil {
		o.Fatal(err)
	}
	o.proc = p
}

// kill kills the server and starts it again.
func (o *outage) kill() {
	o.Helper()
	o.proc.Kill()
	epoch, err := o.app.Cut(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	o.w.epoch.Store(epoch)
	o.start()
}

// ask makes a request with the key.
func (o *outage) ask(method, path, body string) (status int, text string) {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), outageLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, o.proc.URL+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+rawapp.SigningKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// until waits until a page is answered with a status and a text; an empty one is the
// whole page.
func (o *outage) until(path string, status int, want string) {
	o.Helper()
	for deadline := time.Now().Add(outageLimit); ; time.Sleep(20 * time.Millisecond) {
		got, body := o.ask(http.MethodGet, path, "")
		if got == status && (want != "" || body == "") && strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			o.Fatalf("%s, want %d %q: %d %s\nserver's log:\n%s", path, status, want, got, body, o.proc.Log())
		}
	}
}

// goesOn checks that runs end although the database is away, and what readers are told.
func (o *outage) goesOn() {
	o.Helper()
	o.until("/metrics", http.StatusOK, "\ningot_history_away 1\n")
	o.until("/ready", http.StatusOK, "the history database has been away")
	for path, body := range map[string]string{
		"/v1/events": "", "/v1/runs/01HZZZZZZZZZZZZZZZZZZZZZZZ": "", "/api/v2/runs/01HZZZZZZZZZZZZZZZZZZZZZZZ": "",
		"/v0/gql":     `{"query":"{runs(filter:{from:\"2026-01-01T00:00:00Z\"},orderBy:[{field:QUEUED_AT,direction:DESC}]){edges{node{id}}}}"}`,
		"/v1/replays": `{"app_id":"kill","function_id":"kill-seq","from":"2026-01-01T00:00:00Z"}`,
	} {
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		if status, text := o.ask(method, path, body); status != http.StatusServiceUnavailable || !strings.Contains(text, "the database does not answer") {
			o.Errorf("%s answers %d %s", path, status, text)
		}
	}
	o.more(200)
}

// more waits until so many more runs have ended.
func (o *outage) more(n int) {
	o.Helper()
	want := o.w.finished() + n
	for deadline := time.Now().Add(outageLimit); o.w.finished() < want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.Fatalf("runs do not go on\nserver's log:\n%s", o.proc.Log())
		}
	}
}

// caughtUp waits until readers are served again, and nothing is said of an outage.
func (o *outage) caughtUp() {
	o.Helper()
	o.until("/v1/events", http.StatusOK, `"kill/`)
	o.until("/ready", http.StatusOK, "")
	o.until("/metrics", http.StatusOK, "\ningot_history_away 0\n")
}

// end stops load and server, and checks each run against what the app saw.
func (o *outage) end(where history.Config) {
	o.Helper()
	o.load.stop()
	acked := o.load.acked()
	if err := o.w.waitFinished(acked, outageLimit, o.proc.Exited()); err != nil {
		o.Errorf("%v\nserver's log:\n%s", err, o.proc.Log())
	}
	o.w.check(o.T, acked)
	o.w.waitQuiet()
	if err := o.proc.Stop(); err != nil {
		o.Errorf("SIGTERM: %v", err)
	}
	o.w.checkHistory(o.T, where)
	o.Logf("%d events acknowledged", len(acked))
}

// TestPostgresOutage: PostgreSQL is away when the server starts, goes away under load, and
// is away while the server is killed. Nobody but readers notices, and afterwards the history
// has each run once and complete.
func TestPostgresOutage(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	pg.Stop()
	o := newOutage(t, "--postgres-uri", pg.URI, "--data-dir", t.TempDir())
	back := func() {
		t.Helper()
		if err := pg.Start(); err != nil {
			t.Fatal(err)
		}
		o.caughtUp()
		o.more(100)
	}
	o.goesOn()
	back()
	pg.Crash()
	o.goesOn()
	o.kill()
	o.goesOn()
	back()
	pg.Crash()
	o.more(100)
	back()
	o.end(history.Config{PostgresURI: pg.URI})
}

// TestSQLiteOutage: a SQLite database that cannot be written, here because somebody holds
// its lock, is what a database is that is away.
func TestSQLiteOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "main.db")
	o := newOutage(t, "--sqlite-dir", dir)
	o.more(100)
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	o.goesOn()
	if log := o.proc.Log(); !strings.Contains(log, "history cannot be stored; runs go on") || !strings.Contains(log, "locked") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	o.caughtUp()
	o.end(history.Config{Path: file})
}
