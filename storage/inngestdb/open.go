package inngestdb

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Open returns the database that history is in, as a source: the file, or PostgreSQL if a
// URI is given. It takes at most two connections. The caller closes DB.
func Open(path, postgresURI string) (Source, error) {
	driver, name, dialect := "pgx", postgresURI, Postgres
	if postgresURI == "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return Source{}, fmt.Errorf("open a reference server's database: %w", err)
		}
		abs = filepath.ToSlash(abs)
		if !strings.HasPrefix(abs, "/") {
			abs = "/" + abs // C:/…
		}
		// Others write too; each of them is short.
		u := url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: url.Values{"_pragma": {"busy_timeout(30000)"}}.Encode()}
		driver, name, dialect = "sqlite", u.String(), SQLite
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return Source{}, fmt.Errorf("open a reference server's database: %w", err)
	}
	db.SetMaxOpenConns(2)
	db.SetConnMaxIdleTime(time.Minute)
	return Source{db, dialect}, nil
}
