package inngestdb

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/pgtest"
	"ingot/storage/history"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordings are the schema and the rows of files of the reference server. It kept only
// the first six rows of each table.
type recordings struct {
	Schema []string
	Dumps  map[string]map[string][]map[string]any // by state and table
}

var recorded = sync.OnceValues(func() (*recordings, error) {
	f, err := os.Open("testdata/recorded.json.zst")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	r := &recordings{}
	return r, json.Unmarshal(raw, r)
})

func recordedRows(t *testing.T) *recordings {
	t.Helper()
	r, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// world is a database of the reference server with our tables beside its.
type world struct {
	t    *testing.T
	src  Source
	dst  *history.DB
	logs *logs
	pens byte // runs that were written
}

// logs is what was logged.
type logs struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// each runs f with a world of each kind of database.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t, filepath.Join(t.TempDir(), "main.db"), "")
		for _, stmt := range recordedRows(t).Schema {
			if !strings.Contains(stmt, "sqlite_sequence") { // SQLite's own
				w.exec(stmt)
			}
		}
		f(t, w)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		w := openWorld(t, "", pgtest.Start(t))
		w.exec(postgresTables)
		f(t, w)
	})
}

func openWorld(t *testing.T, path, uri string) *world {
	t.Helper()
	src, err := Open(path, uri)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := history.Open(t.Context(), history.Config{Path: path, PostgresURI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
		if err := src.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, src: src, dst: dst, logs: &logs{}}
}

func (w *world) log() *slog.Logger { return slog.New(slog.NewTextHandler(w.logs, nil)) }

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.src.DB.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// importer returns an import that does not wait and has small pages.
func (w *world) importer(dst Target) *importer {
	im := newImporter(w.src, dst, w.log())
	im.rows = 3
	im.pause = func(ctx context.Context, _ time.Duration) bool { return ctx.Err() == nil }
	return im
}

// importAll imports without an error.
func (w *world) importAll() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	im := w.importer(w.dst)
	im.pause = func(_ context.Context, d time.Duration) bool {
		if d == retryMin {
			cancel()
		}
		return ctx.Err() == nil
	}
	if err := im.run(ctx); err != nil {
		w.t.Fatalf("%v\n%s", err, w.logs)
	}
}

// load inserts the rows of a recorded state.
func (w *world) load(state string) {
	w.t.Helper()
	dump := recordedRows(w.t).Dumps[state]
	if dump == nil {
		w.t.Fatalf("there is no recording of %s", state)
	}
	for table, rows := range dump {
		if table == "goose_db_version" {
			continue
		}
		for _, r := range rows {
			w.insert(table, r)
		}
	}
}

// insert adds a row, given as SQLite has it; text that begins with hex: is bytes.
func (w *world) insert(table string, r map[string]any) {
	w.t.Helper()
	var names, places []string
	var args []any
	for _, n := range slices.Sorted(maps.Keys(r)) {
		v := r[n]
		if text, ok := v.(string); ok && strings.HasPrefix(text, "hex:") {
			raw, err := hex.DecodeString(text[4:])
			if err != nil {
				w.t.Fatal(err)
			}
			v = raw
		}
		if f, ok := v.(float64); ok {
			v = int64(f)
		}
		place := fmt.Sprintf("$%d", len(args)+1)
		if w.src.Dialect == Postgres {
			if table == "function_runs" && n == "workspace_id" {
				continue
			}
			v, place = postgresValue(w.t, table, n, v, place)
		}
		names, places, args = append(names, n), append(places, place), append(args, v)
	}
	w.exec("INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(places, ", ")+")", args...)
}

// postgresValue is a column's value as the reference stores it in PostgreSQL.
func postgresValue(t *testing.T, table, column string, v any, place string) (any, string) {
	t.Helper()
	switch {
	case v == nil:
	case strings.HasSuffix(column, "_at") && table != "trace_runs" || strings.HasSuffix(column, "_time") || column == "event_ts":
		at := value{v}.time()
		if at == 0 {
			t.Fatalf("time %v", v)
		}
		return time.Unix(0, at).UTC(), place
	case table == "spans" && doubled[column]:
		return v, "to_jsonb(" + place + "::text)"
	case column == "run_id" && (table == "trace_runs" || table == "event_batches") || column == "id" && table == "event_batches":
		return value{v}.ulid().String(), place
	case column == "is_debounce" || column == "has_ai" || column == "is_deferred":
		return value{v}.flag(), place
	}
	return v, place
}

// postgresTables are the tables that are read, as spec 02 §12.4 describes them.
const postgresTables = `
CREATE TABLE apps (id CHAR(36) PRIMARY KEY, name VARCHAR NOT NULL, sdk_language VARCHAR NOT NULL, sdk_version VARCHAR NOT NULL,
	framework VARCHAR, metadata VARCHAR DEFAULT '{}' NOT NULL, status VARCHAR NOT NULL, error TEXT, checksum VARCHAR NOT NULL,
	created_at TIMESTAMP NOT NULL DEFAULT now(), archived_at TIMESTAMP, url VARCHAR NOT NULL,
	method VARCHAR(32) NOT NULL DEFAULT 'serve', app_version VARCHAR(128));
CREATE TABLE functions (id CHAR(36) PRIMARY KEY, app_id CHAR(36), name VARCHAR NOT NULL, slug VARCHAR NOT NULL, config VARCHAR NOT NULL,
	created_at TIMESTAMP NOT NULL DEFAULT now(), archived_at TIMESTAMP);
CREATE TABLE events (internal_id BYTEA, account_id CHAR(36), workspace_id CHAR(36), source VARCHAR(255), source_id CHAR(36),
	received_at TIMESTAMP NOT NULL, event_id VARCHAR NOT NULL, event_name VARCHAR NOT NULL, event_data VARCHAR DEFAULT '{}' NOT NULL,
	event_user VARCHAR DEFAULT '{}' NOT NULL, event_v VARCHAR, event_ts TIMESTAMP NOT NULL);
CREATE INDEX idx_events_internal_id ON events (internal_id);
CREATE TABLE function_runs (run_id BYTEA NOT NULL, run_started_at TIMESTAMP NOT NULL, function_id CHAR(36), function_version INT NOT NULL,
	trigger_type VARCHAR NOT NULL DEFAULT 'event', event_id BYTEA NOT NULL, batch_id BYTEA, original_run_id BYTEA, cron VARCHAR);
CREATE INDEX idx_function_runs_run_id ON function_runs (run_id);
CREATE TABLE function_finishes (run_id BYTEA, status VARCHAR NOT NULL, output VARCHAR NOT NULL DEFAULT '{}',
	completed_step_count INT NOT NULL DEFAULT 1, created_at TIMESTAMP NOT NULL);
CREATE INDEX idx_function_finishes_run_id ON function_finishes (run_id);
CREATE TABLE event_batches (id CHAR(26) PRIMARY KEY, account_id UUID, workspace_id UUID, app_id UUID, workflow_id UUID,
	run_id CHAR(26) NOT NULL, started_at TIMESTAMP NOT NULL, executed_at TIMESTAMP NOT NULL, event_ids BYTEA NOT NULL);
CREATE TABLE trace_runs (run_id CHAR(26) PRIMARY KEY, account_id CHAR(36) NOT NULL, workspace_id CHAR(36) NOT NULL, app_id CHAR(36) NOT NULL,
	function_id CHAR(36) NOT NULL, trace_id BYTEA NOT NULL, queued_at BIGINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT NOT NULL,
	status INT NOT NULL, source_id VARCHAR NOT NULL, trigger_ids BYTEA NOT NULL, output BYTEA, is_debounce BOOLEAN NOT NULL,
	batch_id BYTEA, cron_schedule TEXT, has_ai BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE spans (span_id TEXT NOT NULL, trace_id TEXT NOT NULL, parent_span_id TEXT, name TEXT NOT NULL, start_time TIMESTAMPTZ NOT NULL,
	end_time TIMESTAMPTZ NOT NULL, attributes JSONB, links JSONB, dynamic_span_id TEXT, account_id TEXT NOT NULL, app_id TEXT NOT NULL,
	function_id TEXT NOT NULL, run_id TEXT NOT NULL, env_id TEXT NOT NULL, output JSONB, debug_run_id CHAR(36), debug_session_id CHAR(36),
	status TEXT, input JSONB, event_ids JSONB, is_deferred BOOLEAN, PRIMARY KEY (trace_id, span_id));
CREATE INDEX idx_spans_run_id ON spans (run_id);`
