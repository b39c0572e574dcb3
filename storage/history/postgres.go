package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"
)

// postgres is a PostgreSQL database. Strings of users are bytea there: text cannot hold
// all that JSON can.
type postgres struct {
	pool *pgxpool.Pool
}

// Defaults of the pool.
const (
	postgresConns    = 10
	postgresIdle     = 5 * time.Minute
	postgresLifetime = 30 * time.Minute
)

// postgresLock is the key of the advisory lock that writers hold, so that two servers on
// one database do not give the same number twice.
const postgresLock = 0x696e676f74

func openPostgres(ctx context.Context, cfg *Config) (backend, error) {
	pc, err := pgxpool.ParseConfig(cfg.PostgresURI)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URI: %w", err) // without the password
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(cfg.MaxConns)
	} else if !strings.Contains(cfg.PostgresURI, "pool_max_conns") {
		pc.MaxConns = postgresConns
	}
	pc.MaxConns = max(pc.MaxConns, 2) // one writes
	pc.MinConns = int32(min(cfg.MinConns, int(pc.MaxConns)))
	pc.MaxConnIdleTime, pc.MaxConnLifetime = postgresIdle, postgresLifetime
	if cfg.MaxConnIdle > 0 {
		pc.MaxConnIdleTime = cfg.MaxConnIdle
	}
	if cfg.MaxConnLifetime > 0 {
		pc.MaxConnLifetime = cfg.MaxConnLifetime
	}
	pc.ConnConfig.ConnectTimeout = connectTimeout
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Compiling a query takes longer than any of ours.
		_, err := conn.Exec(ctx, "SET jit = off")
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	p := &postgres{pool: pool}
	if err := p.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return p, nil
}

// prepare makes the tables.
func (p *postgres) prepare(ctx context.Context) error {
	t, err := p.begin(ctx)
	if err != nil {
		return err
	}
	types := strings.NewReplacer("{int}", "BIGINT", "{blob}", "BYTEA", "{text}", "BYTEA", "{no}", ", no", "{clustered}", "")
	for _, stmt := range append(schema, postgresSchema...) {
		if _, err := t.(*postgresTx).Exec(ctx, types.Replace(stmt)); err != nil {
			t.rollback()
			return fmt.Errorf("make the tables: %w", postgresFault(ctx, err))
		}
	}
	return t.commit(ctx)
}

// postgresSchema lets PostgreSQL leave alone what is compressed already.
var postgresSchema = []string{
	"ALTER TABLE ingot_runs ALTER COLUMN trace SET STORAGE EXTERNAL",
	"ALTER TABLE ingot_chunks ALTER COLUMN data SET STORAGE EXTERNAL",
}

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}

func (p *postgres) size(ctx context.Context) (n int64, err error) {
	err = p.query(ctx, `SELECT CAST(coalesce(sum(pg_total_relation_size(oid)), 0) AS BIGINT) FROM pg_class
		WHERE relkind = 'r' AND relname LIKE 'ingot\_%'`, nil, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// reclaim marks the space of deleted rows as free at once; autovacuum would do so later.
func (p *postgres) reclaim(ctx context.Context) error {
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	for _, stmt := range []string{
		"DELETE FROM ingot_counts WHERE n = 0",
		"VACUUM ingot_runs, ingot_events, ingot_chunks, ingot_batch_events, ingot_skips, ingot_counts",
	} {
		if _, err := conn.Exec(ctx, stmt); err != nil {
			return postgresFault(ctx, err)
		}
	}
	return nil
}

func (p *postgres) query(ctx context.Context, sql string, a args, row func(func(...any) error) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, sql, a...)
	if err != nil {
		return postgresFault(ctx, err)
	}
	return eachRow(ctx, rows, row)
}

// acquire waits for a connection, but not longer than one takes to make: a server that is
// away answers nothing.
func (p *postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := p.pool.Acquire(wait)
	if err != nil {
		return nil, postgresFault(ctx, err)
	}
	return conn, nil
}

func eachRow(ctx context.Context, rows pgx.Rows, row func(func(...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return postgresFault(ctx, err)
	}
	return nil
}

// postgresFault tells what the server says of a statement from a server that is away.
func postgresFault(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch class := e.Code[:min(2, len(e.Code))]; class {
		case "08", "53", "57", "58": // connection, resources, operator's intervention, system
		default:
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Lists are arrays.

func (*postgres) numbers(a *args, list []int64) string {
	return "(SELECT unnest(" + a.add(list) + "::bigint[]) AS v)"
}

func (*postgres) texts(a *args, list []string) string {
	b := make([][]byte, len(list))
	for i := range list {
		b[i] = []byte(list[i])
	}
	return "(SELECT unnest(" + a.add(b) + "::bytea[]) AS v)"
}

func (*postgres) blobs(a *args, list []ulid.ULID) string {
	return "(SELECT unnest(" + a.add(byteSlices(list)) + "::bytea[]) AS v)"
}

func (*postgres) keys(a *args, list []ulid.ULID) string {
	numbers := make([]int64, len(list))
	for i := range list {
		numbers[i] = number(list[i])
	}
	return "(SELECT v, w FROM unnest(" + a.add(byteSlices(list)) + "::bytea[], " + a.add(numbers) + "::bigint[]) AS u (v, w))"
}

func byteSlices(list []ulid.ULID) [][]byte {
	b := make([][]byte, len(list))
	for i := range list {
		b[i] = list[i][:]
	}
	return b
}

func (*postgres) join(table, query string) string {
	return "CROSS JOIN LATERAL (" + query + ") z JOIN " + table + " r ON r.no = z.no"
}
