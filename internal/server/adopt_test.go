package server

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// formerServer is what a reference server leaves in PostgreSQL, as far as this test needs.
const formerServer = `
	CREATE TABLE apps (id text, name text, sdk_language text, sdk_version text, url text, method text);
	CREATE TABLE functions (id text, app_id text, slug text, config text);
	CREATE TABLE events (internal_id bytea);
	CREATE TABLE function_runs (run_id bytea);
	INSERT INTO apps VALUES ('08927177-7b8a-51ba-95be-9e0584f90103', 'shop', 'js', 'v4', 'http://127.0.0.1:1/x', 'serve');
	INSERT INTO functions VALUES ('5233ea4f-7fdb-5644-ab9c-efcb84ac3063', '08927177-7b8a-51ba-95be-9e0584f90103', 'shop-pay',
		'{"id":"x","fv":1,"name":"pay","slug":"shop-pay","triggers":[{"event":"paid"}],"steps":[{"id":"step","name":"step","uri":"http://127.0.0.1:1/x?fnId=shop-pay&stepId=step"}]}')`

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually asks until the answer has a text.
func eventually(t *testing.T, url, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := request(t, http.MethodGet, url, "")
		if strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d %s, want %s", url, status, body, want)
		}
	}
}

// TestStartsWithoutItsDatabase: a server whose PostgreSQL is away starts all the same, and
// takes over what a reference server has left there when it comes.
func TestStartsWithoutItsDatabase(t *testing.T) {
	pg := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), pg.URI)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), formerServer); err != nil {
		t.Fatal(err)
	}
	pg.Stop()
	_ = conn.Close(t.Context())

	log := &lines{}
	cfg := testConfig(t.TempDir())
	cfg.Database.PostgresURI, cfg.Logger = pg.URI, slog.New(slog.NewTextHandler(log, nil))
	s := start(t, cfg)
	defer stop(t, s)
	base := "http://" + s.Addr()
	if status, body := request(t, http.MethodPost, base+"/e/k", `{"name":"paid","data":{"n":1}}`); status != http.StatusOK {
		t.Errorf("an event: %d %s", status, body)
	}
	eventually(t, base+"/ready", `{"status":200,"message":"the history database has been away`)
	eventually(t, base+"/metrics", "\ningot_history_away 1\n")
	if status, body := request(t, http.MethodGet, base+"/v1/events", ""); !strings.Contains(body, "the database does not answer") {
		t.Errorf("events while the database is away: %d %s", status, body)
	}
	if _, body := request(t, http.MethodGet, base+"/dev", ""); strings.Contains(body, "shop-pay") {
		t.Errorf("it knows what it cannot know: %s", body)
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, base+"/dev", "shop-pay")
	eventually(t, base+"/v1/events", `"n":1`)
	eventually(t, base+"/metrics", "\ningot_history_away 0\n")
	for s.adopting.Load() { // a moment longer than the catalog takes
		time.Sleep(time.Millisecond)
	}
	if status, body := request(t, http.MethodGet, base+"/ready", ""); status != http.StatusOK || body != "" {
		t.Errorf("ready: %d %s", status, body)
	}
	for _, want := range []string{"cannot be used yet", "until then events start no runs", "answers now", "start with the events that come from now on"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log does not say once %q:\n%s", want, log)
		}
	}
}

// TestDatabaseStaysAway: a server whose database never comes, or takes connections and
// says nothing, starts and ends all the same.
func TestDatabaseStaysAway(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, addr := range map[string]string{"nobody": "127.0.0.1:1", "silent": silent.Addr().String()} {
		cfg := testConfig(t.TempDir())
		cfg.Database.PostgresURI = "postgres://u@" + addr + "/x?sslmode=disable"
		s := start(t, cfg)
		base := "http://" + s.Addr()
		eventually(t, base+"/ready", "away")
		if status, body := request(t, http.MethodPost, base+"/e/k", `{"name":"a"}`); status != http.StatusOK {
			t.Errorf("%s: an event: %d %s", name, status, body)
		}
		if _, body := request(t, http.MethodGet, base+"/v1/events", ""); !strings.Contains(body, "the database does not answer") {
			t.Errorf("%s: events: %s", name, body)
		}
		stop(t, s)
	}
}

// TestMalformedURI: what waiting does not help stops the start.
func TestMalformedURI(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Database.PostgresURI = "postgres://u:hunter2@127.0.0.1:x/db"
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "the PostgreSQL URI") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
