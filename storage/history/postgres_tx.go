package history

import (
	"cmp"
	"context"
	"slices"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"
)

// postgresTx is a transaction of the writer. Lists of rows go as one array per column.
type postgresTx struct {
	pgx.Tx
	conn *pgxpool.Conn
}

func (p *postgres) begin(ctx context.Context) (tx, error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	t, err := conn.Begin(ctx)
	if err != nil {
		conn.Release()
		return nil, postgresFault(ctx, err)
	}
	pt := &postgresTx{Tx: t, conn: conn}
	if err := pt.exec(ctx, "SELECT pg_advisory_xact_lock($1)", postgresLock); err != nil {
		pt.rollback()
		return nil, err
	}
	return pt, nil
}

func (t *postgresTx) commit(ctx context.Context) error {
	defer t.conn.Release()
	if err := t.Commit(ctx); err != nil {
		return postgresFault(ctx, err)
	}
	return nil
}

func (t *postgresTx) rollback() {
	// The caller's time may be over. A connection that cannot roll back is closed.
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	_ = t.Rollback(ctx)
	t.conn.Release()
}

func (t *postgresTx) exec(ctx context.Context, sql string, a ...any) error {
	if _, err := t.Exec(ctx, sql, a...); err != nil {
		return postgresFault(ctx, err)
	}
	return nil
}

func (t *postgresTx) rows(ctx context.Context, row func(func(...any) error) error, sql string, a ...any) error {
	rows, err := t.Query(ctx, sql, a...)
	if err != nil {
		return postgresFault(ctx, err)
	}
	return eachRow(ctx, rows, row)
}

func (t *postgresTx) setCursors(ctx context.Context, cursors map[string]int64) error {
	for name, v := range cursors {
		err := t.exec(ctx, `INSERT INTO ingot_cursors (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []byte(name), v)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *postgresTx) function(ctx context.Context, id ids.UUID) (functionRow, error) {
	r := functionRow{id: id}
	there := false
	scan := func(scan func(...any) error) error {
		there = true
		return scan(&r.no, &r.states)
	}
	err := t.rows(ctx, scan, "SELECT no, states FROM ingot_functions WHERE id = $1", id[:])
	if err == nil && !there {
		err = t.rows(ctx, scan, `INSERT INTO ingot_functions (no, id, states)
			SELECT coalesce(max(no), 0) + 1, $1, 0 FROM ingot_functions RETURNING no, states`, id[:])
	}
	return r, err
}

func (t *postgresTx) setStates(ctx context.Context, fn, states int64) error {
	return t.exec(ctx, "UPDATE ingot_functions SET states = $1 WHERE no = $2", states, fn)
}

func (t *postgresTx) names(ctx context.Context, names []string) (map[string]int64, error) {
	list := make([][]byte, len(names))
	for i := range names {
		list[i] = []byte(names[i])
	}
	out := make(map[string]int64, len(names))
	scan := func(scan func(...any) error) error {
		var no int64
		var name []byte
		err := scan(&no, &name)
		out[string(name)] = no
		return err
	}
	if err := t.rows(ctx, scan, "SELECT no, name FROM ingot_names WHERE name = ANY ($1)", list); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, there := out[name]; there {
			continue
		}
		sign := int64(1)
		if internalName(name) {
			sign = -1
		}
		err := t.rows(ctx, scan, `INSERT INTO ingot_names (no, name)
			SELECT $1::bigint * (coalesce(max(abs(no)), 0) + 1), $2 FROM ingot_names RETURNING no, name`, sign, []byte(name))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *postgresTx) insertEvents(ctx context.Context, rows []*eventRow) (clashes []int, err error) {
	n := len(rows)
	no, id, name, received, ts := make([]int64, n), make([][]byte, n), make([]int64, n), make([]int64, n), make([]int64, n)
	external, v, data, user, sessions := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, r := range rows {
		no[i], id[i], name[i], received[i], ts[i] = r.no, r.id[:], r.name, r.received, r.ts
		external[i], v[i], data[i], user[i], sessions[i] = r.external, r.v, r.data, r.user, r.sessions
	}
	return t.insert(ctx, no, `INSERT INTO ingot_events (no, id, name, received, ts, external, v, data, "user", sessions)
		SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[],
			$10::bytea[])
		ON CONFLICT (no) DO NOTHING RETURNING no`, no, id, name, received, ts, external, v, data, user, sessions)
}

// insert runs a statement that returns the numbers of the rows that it has inserted, and
// returns the indexes of the others. Numbers rise.
func (t *postgresTx) insert(ctx context.Context, numbers []int64, sql string, a ...any) (clashes []int, err error) {
	done := make(map[int64]bool, len(numbers))
	err = t.rows(ctx, func(scan func(...any) error) error {
		var no int64
		err := scan(&no)
		done[no] = true
		return err
	}, sql, a...)
	if err != nil || len(done) == len(numbers) {
		return nil, err
	}
	for i, no := range numbers {
		if !done[no] {
			clashes = append(clashes, i)
		}
	}
	return clashes, nil
}

// runColumnsOf are the columns of rows.
func runColumnsOf(rows []*runRow) (no []int64, columns []any) {
	n := len(rows)
	no = make([]int64, n)
	id, class, started, ended, event := make([][]byte, n), make([]int64, n), make([]int64, n), make([]int64, n), make([][]byte, n)
	flags, chunks, extra, trace, bundle := make([]int64, n), make([]int64, n), make([][]byte, n), make([][]byte, n), make([]int64, n)
	for i, r := range rows {
		no[i], id[i], class[i], started[i], ended[i], event[i] = r.no, r.id[:], r.class, r.started, r.ended, r.event
		flags[i], chunks[i], extra[i], trace[i], bundle[i] = int64(r.flags), r.chunks, r.extra, r.trace, r.bundle
	}
	return no, []any{no, id, class, started, ended, event, flags, chunks, extra, trace, bundle}
}

// runArrays are those columns as a table.
const runArrays = `unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bigint[],
	$9::bytea[], $10::bytea[], $11::bigint[]) AS u (no, id, class, started, ended, event, flags, chunks, extra, trace, bundle)`

func (t *postgresTx) insertRuns(ctx context.Context, rows []*runRow) (clashes []int, err error) {
	no, columns := runColumnsOf(rows)
	return t.insert(ctx, no, `INSERT INTO ingot_runs (no, id, class, started, ended, event, flags, chunks, extra, trace, bundle)
		SELECT * FROM `+runArrays+` ON CONFLICT (no) DO NOTHING RETURNING no`, columns...)
}

func (t *postgresTx) updateRuns(ctx context.Context, rows []*runRow) error {
	_, columns := runColumnsOf(rows)
	return t.exec(ctx, `UPDATE ingot_runs r SET class = u.class, started = u.started, ended = u.ended, event = u.event,
		flags = u.flags, chunks = u.chunks, extra = u.extra, trace = u.trace FROM `+runArrays+` WHERE r.no = u.no`, columns...)
}

func (t *postgresTx) findRuns(ctx context.Context, keys []key) (map[int]*runRow, error) {
	at, no, id := make([]int64, len(keys)), make([]int64, len(keys)), make([][]byte, len(keys))
	for i := range keys {
		at[i], no[i], id[i] = int64(i), keys[i].no, keys[i].id[:]
	}
	found := map[int]*runRow{}
	err := t.rows(ctx, func(scan func(...any) error) error {
		var r runRow
		var i, flags int64
		if err := scan(&i, &r.no, &r.class, &r.started, &r.ended, &r.event, &flags, &r.chunks, &r.extra, &r.trace); err != nil {
			return err
		}
		r.id, r.flags = keys[i].id, engine.LifecycleFlags(flags)
		found[int(i)] = &r
		return nil
	}, `SELECT l.at, r.* FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS l (at, no, id) CROSS JOIN LATERAL (
		SELECT no, class, started, ended, event, flags, chunks, extra, trace FROM ingot_runs x
		WHERE x.no >= l.no AND x.no < l.no + $4 AND x.id = l.id ORDER BY x.no LIMIT 1) r`, at, no, id, numberSpan)
	return found, err
}

func (t *postgresTx) has(ctx context.Context, of table, k key) (there bool, err error) {
	err = t.rows(ctx, func(scan func(...any) error) error { return scan(&there) },
		"SELECT EXISTS (SELECT 1 FROM "+string(of)+" WHERE no >= $1 AND no < $2 AND id = $3)", k.no, k.no+numberSpan, k.id[:])
	return there, err
}

func (t *postgresTx) taken(ctx context.Context, of table, no int64, visit func(no int64) bool) error {
	more := true
	return t.rows(ctx, func(scan func(...any) error) error {
		if !more {
			return nil
		}
		var n int64
		if err := scan(&n); err != nil {
			return err
		}
		more = visit(n)
		return nil
	}, "SELECT no FROM "+string(of)+" WHERE no >= $1 AND no <= $2 ORDER BY no", no, no+numberSpan)
}

func (t *postgresTx) insertChunks(ctx context.Context, rows []chunkRow) error {
	if len(rows) == 0 {
		return nil
	}
	run, seq, data := make([]int64, len(rows)), make([]int64, len(rows)), make([][]byte, len(rows))
	for i := range rows {
		run[i], seq[i], data[i] = rows[i].run, rows[i].seq, rows[i].data
	}
	return t.exec(ctx, `INSERT INTO ingot_chunks (run, seq, data) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])`, run, seq, data)
}

func (t *postgresTx) takeChunks(ctx context.Context, runs []int64) (map[int64][]byte, error) {
	var rows []chunkRow
	err := t.rows(ctx, func(scan func(...any) error) error {
		var r chunkRow
		err := scan(&r.run, &r.seq, &r.data)
		rows = append(rows, r)
		return err
	}, "DELETE FROM ingot_chunks WHERE run = ANY ($1) RETURNING run, seq, data", runs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b chunkRow) int { return cmp.Compare(a.seq, b.seq) })
	out := map[int64][]byte{}
	for _, r := range rows {
		out[r.run] = append(out[r.run], r.data...)
	}
	return out, nil
}

func (t *postgresTx) insertBatchEvents(ctx context.Context, rows []batchEventRow) error {
	event, run := make([][]byte, len(rows)), make([]int64, len(rows))
	for i := range rows {
		event[i], run[i] = rows[i].event[:], rows[i].run
	}
	return t.exec(ctx, `INSERT INTO ingot_batch_events (event, run) SELECT * FROM unnest($1::bytea[], $2::bigint[])
		ON CONFLICT DO NOTHING`, event, run)
}

func (t *postgresTx) putSkips(ctx context.Context, rows []skipRow) error {
	n := len(rows)
	event, fn, reason, at, pending := make([][]byte, n), make([]int64, n), make([][]byte, n), make([]int64, n), make([]int64, n)
	for i := range rows {
		r := &rows[i]
		event[i], fn[i], reason[i], at[i], pending[i] = r.event[:], r.fn, []byte(r.reason), r.at, truth(r.pending)
	}
	return t.exec(ctx, `INSERT INTO ingot_skips (event, fn, reason, at, pending)
		SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[])
		ON CONFLICT (event, fn) DO UPDATE SET reason = excluded.reason, at = excluded.at, pending = excluded.pending`,
		event, fn, reason, at, pending)
}

func (t *postgresTx) deletePending(ctx context.Context, fn int64, events []ulid.ULID) error {
	return t.exec(ctx, "DELETE FROM ingot_skips WHERE fn = $1 AND pending = 1 AND event = ANY ($2)", fn, byteSlices(events))
}

func (t *postgresTx) addCounts(ctx context.Context, deltas map[countKey]int64) error {
	var kind, bucket, key, n []int64
	for k, d := range deltas {
		if d != 0 {
			kind, bucket, key, n = append(kind, k.kind), append(bucket, k.bucket), append(key, k.key), append(n, d)
		}
	}
	if len(kind) == 0 {
		return nil
	}
	return t.exec(ctx, `INSERT INTO ingot_counts (kind, bucket, key, n)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
		ON CONFLICT (kind, bucket, key) DO UPDATE SET n = ingot_counts.n + excluded.n`, kind, bucket, key, n)
}

func (t *postgresTx) park(ctx context.Context, no, at int64, data, gone []byte) error {
	return t.exec(ctx, "INSERT INTO ingot_parked (no, at, data, gone) VALUES ($1, $2, $3, $4)", no, at, data, gone)
}

func (t *postgresTx) setGone(ctx context.Context, no int64, gone []byte) error {
	return t.exec(ctx, "INSERT INTO ingot_parked_gone (no, gone) VALUES ($1, $2) ON CONFLICT (no) DO UPDATE SET gone = excluded.gone", no, gone)
}

func (t *postgresTx) unpark(ctx context.Context, no int64) error {
	return t.exec(ctx, "WITH g AS (DELETE FROM ingot_parked_gone WHERE no = $1) DELETE FROM ingot_parked WHERE no = $1", no)
}
