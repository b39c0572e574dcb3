package history

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/internal/pgtest"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestLate: a database that comes after Open is made then, and by itself.
func TestLate(t *testing.T) {
	t.Parallel()
	s := pgtest.New(t)
	s.Stop()
	var log bytes.Buffer
	cfg := Config{PostgresURI: s.URI, Late: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	db := openTest(t, cfg)
	run := ids.New(someMS)
	b := &Batch{Records: []*engine.Lifecycle{scheduled(run, ids.UUID{1})}}
	for range 3 {
		if err := db.Store(t.Context(), b); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Store says %v", err)
		}
		if _, err := db.Run(t.Context(), run); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Run says %v", err)
		}
		if err := db.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Ready says %v", err)
		}
	}
	if db.Prepared() {
		t.Error("it is prepared")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that goes away is told %v", err)
	}
	if n := db.Stats(t.Context()).Bytes; n != 0 {
		t.Errorf("it takes %d bytes", n)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := db.Store(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Run(t.Context(), run); err != nil {
		t.Error(err)
	}
	if v, err := db.cursor(t.Context(), cursorSchema); err != nil || v != schemaVersion || !db.Prepared() {
		t.Errorf("it has form %d: %v", v, err)
	}
	text := log.String()
	if strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "is tried again and again") || !strings.Contains(text, "answers now") {
		t.Errorf("the log says\n%s", text)
	}
}

// TestLateAndNewer: what a newer program wrote is not touched, also if it comes late.
func TestLateAndNewer(t *testing.T) {
	t.Parallel()
	s := pgtest.New(t)
	execute(t, openTest(t, Config{PostgresURI: s.URI}), "UPDATE ingot_cursors SET value = 1000 WHERE name = 'schema'")
	s.Stop()
	cfg := Config{PostgresURI: s.URI, Late: true}
	db := openTest(t, cfg)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	err := db.Store(t.Context(), &Batch{LogNext: 3})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("Store says %v", err)
	}
	if _, err := Open(t.Context(), cfg); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("Open says %v", err)
	}
}

// TestRefused: what waiting does not help is told at once, with what to do about it.
func TestRefused(t *testing.T) {
	t.Parallel()
	uri := pgtest.Start(t)
	execute(t, openTest(t, Config{PostgresURI: uri}), "CREATE ROLE poor LOGIN")
	as := func(user string) string { return strings.Replace(uri, "postgres@", user+"@", 1) }
	for name, c := range map[string]struct{ uri, want string }{
		"no such user":     {as("nobody:secret"), "check user and password"},
		"no such database": {strings.Replace(uri, "/test", "/nowhere", 1), "has no such database"},
		"no right":         {strings.Replace(as("poor"), uri[strings.LastIndex(uri, "/"):], "/postgres?sslmode=disable", 1), "GRANT CREATE"},
		"no TLS":           {strings.Replace(uri, "sslmode=disable", "sslmode=require", 1), "check sslmode"},
		"no port":          {"postgres://u:secret@127.0.0.1:x/db", "the PostgreSQL URI"},
		"no scheme":        {"127.0.0.1:5432/db", "the PostgreSQL URI"},
		"no such setting":  {"postgres://u@127.0.0.1/db?sslmode=maybe", "the PostgreSQL URI"},
	} {
		_, err := Open(t.Context(), Config{PostgresURI: c.uri, Late: true})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestLasting: which faults pass.
func TestLasting(t *testing.T) {
	t.Parallel()
	away := func(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
	for _, c := range []struct {
		err  error
		want string // empty: it passes
	}{
		{away(errors.New("dial tcp: connection refused")), ""},
		{away(&pgconn.PgError{Code: "57P03", Message: "the database system is starting up"}), ""},
		{away(&pgconn.PgError{Code: "53300", Message: "sorry, too many clients already"}), ""},
		{away(&pgconn.PgError{Code: "25006", Message: "cannot execute in a read-only transaction"}), ""},
		{away(&pgconn.PgError{Code: "28P01", Message: "password authentication failed"}), "check user and password"},
		{away(&tls.CertificateVerificationError{Err: errors.New("unknown authority")}), "check sslmode"},
		{&pgconn.PgError{Code: "42703"}, "42703"},
		{errors.New("newer version"), "newer version"},
	} {
		switch err := lasting(c.err); {
		case err == nil && c.want == "":
		case err == nil || c.want == "" || !strings.Contains(err.Error(), c.want):
			t.Errorf("%v: %v, want %q", c.err, err, c.want)
		}
	}
}

// lateDB is a database that answers nothing until it is told to, and then that it is away.
type lateDB struct {
	*fakeDB
	asked  chan struct{}
	answer chan error
}

func (d *lateDB) Cursors(ctx context.Context) (uint64, map[int]uint64, error) {
	select {
	case d.asked <- struct{}{}:
	default:
	}
	select {
	case err := <-d.answer:
		return 0, nil, err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

// TestReadersOfLate: who waits while the database is first asked is told that it is away,
// instead of reading from one that is not there.
func TestReadersOfLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &lateDB{newFakeDB(), make(chan struct{}, 1), make(chan error)}
		c := Consume(db, newFakeSource(t), slog.New(slog.DiscardHandler))
		<-db.asked
		got := make(chan error)
		for range 3 {
			go func() { got <- c.Sync(t.Context()) }()
		}
		synctest.Wait() // all of them wait
		db.answer <- ErrUnavailable
		for range 3 {
			if err := <-got; !errors.Is(err, ErrUnavailable) {
				t.Errorf("a reader is told %v", err)
			}
		}
		if behind, err := c.Lag(); !errors.Is(err, ErrUnavailable) || behind < 0 {
			t.Errorf("it is %s behind: %v", behind, err)
		}
		c.cancel()
		c.wg.Wait()
	})
}
