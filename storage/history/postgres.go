package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"
)

// postgres is a PostgreSQL database. Strings of users are bytea there: text cannot hold
// all that JSON can.
type postgres struct {
	pool *pgxpool.Pool
}

// postgresLock is the key of the advisory lock that writers hold, so that two servers on
// one database do not give the same number twice.
const postgresLock = 0x696e676f74

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
		"VACUUM ingot_runs, ingot_bundles, ingot_events, ingot_packs, ingot_pack_names, ingot_chunks, ingot_batch_events, ingot_skips, ingot_counts",
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
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err) // why ever it lets nobody in
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
