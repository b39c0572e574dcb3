package history

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"ingot/internal/pace"
	"ingot/storage/history/internal/lite"

	"github.com/oklog/ulid/v2"
	_ "modernc.org/sqlite" // the driver of readers
)

// Settings of SQLite, chosen by BenchmarkStore.
const (
	// sqlitePragmas are the writer's. Pages of 8 KiB were the fastest; so was a cache of
	// 32 MiB, by 1 % before one of 16 MiB, which saves 32 MiB of memory: a page takes twice
	// its size. A checkpoint copies the log into the file after 32 MiB.
	sqlitePragmas = `PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
		PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4096;
		PRAGMA journal_size_limit = 67108864; PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY`
	sqliteReaders = 4
)

// sqlite is a database in a file: one connection that writes, and some that read.
type sqlite struct {
	path    string
	readers *sql.DB

	mu     sync.Mutex // protects the writer; held by a transaction
	writer *lite.Conn
	pace   *pace.Pace   // of the batch that is stored, if one is
	stmts  []*lite.Stmt // by statement; nil if not yet prepared
}

func openSQLite(ctx context.Context, path string, p *pace.Pace) (*sqlite, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &sqlite{path: abs, pace: p, stmts: make([]*lite.Stmt, len(statements))}
	if s.writer, err = lite.Open(abs); err != nil {
		return nil, err
	}
	if err = s.prepare(); err == nil {
		err = s.openReaders(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// prepare sets the writer up and makes the tables.
func (s *sqlite) prepare() error {
	types := strings.NewReplacer("{int}", "INTEGER", "{blob}", "BLOB", "{text}", "TEXT", "{no}", "", "{clustered}", " WITHOUT ROWID")
	if err := s.writer.Exec(sqlitePragmas); err != nil {
		return err
	}
	for _, stmt := range schema {
		if err := s.writer.Exec(types.Replace(stmt)); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
	}
	for _, c := range added {
		if err := s.addColumn(c.table, c.column, types.Replace(c.kind)); err != nil {
			return fmt.Errorf("add column %s to %s: %w", c.column, c.table, err)
		}
	}
	return nil
}

// addColumn gives a table a column, unless it has it.
func (s *sqlite) addColumn(table, column, kind string) error {
	st, err := s.writer.Prepare("SELECT 1 FROM pragma_table_info(?) WHERE name = ?")
	if err != nil {
		return err
	}
	defer st.Close()
	st.Text(1, []byte(table))
	st.Text(2, []byte(column))
	has, err := st.Next()
	st.Reset()
	if err != nil || has {
		return err
	}
	return s.writer.Exec("ALTER TABLE " + table + " ADD COLUMN " + column + " " + kind)
}

func (s *sqlite) openReaders(ctx context.Context) (err error) {
	path := filepath.ToSlash(s.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	pragmas := url.Values{"_pragma": {"busy_timeout(2000)", "query_only(1)", "cache_size(-16384)"}}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: pragmas.Encode()}
	if s.readers, err = sql.Open("sqlite", u.String()); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(sqliteReaders)
	s.readers.SetMaxIdleConns(sqliteReaders)
	return s.readers.PingContext(ctx)
}

func (s *sqlite) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.readers != nil {
		err = s.readers.Close()
	}
	for _, stmt := range s.stmts {
		if stmt != nil {
			stmt.Close()
		}
	}
	return errors.Join(err, s.writer.Close())
}

func (s *sqlite) size(context.Context) (int64, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, err
	}
	n := info.Size()
	if wal, err := os.Stat(s.path + "-wal"); err == nil {
		n += wal.Size()
	}
	return n, nil
}

func (s *sqlite) query(ctx context.Context, query string, a args, row func(func(...any) error) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := s.readers.QueryContext(ctx, query, a...)
	if err != nil {
		return sqliteFault(ctx, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return sqliteFault(ctx, err)
	}
	return nil
}

// sqliteFault says that the database is not available, unless the caller gave up.
func sqliteFault(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Lists are JSON.

func (*sqlite) numbers(a *args, list []int64) string {
	b := []byte{'['}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return "(SELECT value AS v FROM json_each(" + a.add(string(append(b, ']'))) + "))"
}

func (*sqlite) texts(a *args, list []string) string {
	b := []byte{'['}
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendHex(b, []byte(list[i])) // JSON's own strings cannot be all that a name can
	}
	return "(SELECT CAST(unhex(value) AS TEXT) AS v FROM json_each(" + a.add(string(append(b, ']'))) + "))"
}

func (*sqlite) blobs(a *args, list []ulid.ULID) string {
	b := []byte{'['}
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendHex(b, list[i][:])
	}
	return "(SELECT unhex(value) AS v FROM json_each(" + a.add(string(append(b, ']'))) + "))"
}

func (*sqlite) keys(a *args, list []ulid.ULID) string {
	b := []byte{'['}
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendHex(append(b, '['), list[i][:])
		b = strconv.AppendInt(append(b, ','), number(list[i]), 10)
		b = append(b, ']')
	}
	return "(SELECT unhex(value ->> 0) AS v, value ->> 1 AS w FROM json_each(" + a.add(string(append(b, ']'))) + "))"
}

func appendHex(b, v []byte) []byte {
	return append(hex.AppendEncode(append(b, '"'), v), '"')
}

func (*sqlite) join(table, query string) string {
	return "CROSS JOIN " + table + " r ON r.no IN (" + query + ")"
}
