package history

import "context"

func (t *postgresTx) insertPacks(ctx context.Context, rows []*packRow) (clashes []int, err error) {
	no, first, data := make([]int64, len(rows)), make([]int64, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		no[i], first[i], data[i] = r.no, r.first, r.data
	}
	return t.insert(ctx, no, `INSERT INTO ingot_packs (no, first, data) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
		ON CONFLICT (no) DO NOTHING RETURNING no`, no, first, data)
}

func (t *postgresTx) insertPackNames(ctx context.Context, rows []*packRow) error {
	var name, no, first, n []int64
	for _, r := range rows {
		for _, c := range r.names {
			name, no, first, n = append(name, c.name), append(no, r.no), append(first, r.first), append(n, c.n)
		}
	}
	return t.exec(ctx, `INSERT INTO ingot_pack_names (name, no, first, n)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])`, name, no, first, n)
}

func (t *postgresTx) replacePacks(ctx context.Context, rows []*packRow) error {
	var no, gone, name, of, n []int64
	var data [][]byte
	for _, r := range rows {
		if len(r.data) == 0 {
			gone = append(gone, r.no)
		} else {
			no, data = append(no, r.no), append(data, r.data)
		}
		for _, c := range r.names {
			name, of, n = append(name, c.name), append(of, r.no), append(n, c.n)
		}
	}
	const names = "unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (name, no, n) WHERE p.name = u.name AND p.no = u.no AND u.n "
	for _, s := range []struct {
		sql string
		a   []any
	}{
		{"UPDATE ingot_packs p SET data = u.data FROM unnest($1::bigint[], $2::bytea[]) AS u (no, data) WHERE p.no = u.no", []any{no, data}},
		{"DELETE FROM ingot_packs WHERE no = ANY ($1)", []any{gone}},
		{"UPDATE ingot_pack_names p SET n = u.n FROM " + names + "> 0", []any{name, of, n}},
		{"DELETE FROM ingot_pack_names p USING " + names + "= 0", []any{name, of, n}},
	} {
		if err := t.exec(ctx, s.sql, s.a...); err != nil {
			return err
		}
	}
	return nil
}

func (t *postgresTx) overlaps(ctx context.Context, spans []span) ([]span, error) {
	lo, hi, end := make([]int64, len(spans)), make([]int64, len(spans)), make([]int64, len(spans))
	for i, s := range spans {
		lo[i], hi[i], end[i] = s.lo, s.hi, s.end()
	}
	var out []span
	err := t.rows(ctx, func(scan func(...any) error) error {
		var s span
		err := scan(&s.lo, &s.hi)
		out = append(out, s)
		return err
	}, `SELECT p.first, p.no FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS l (lo, hi, until) CROSS JOIN LATERAL (
		SELECT x.first, x.no FROM ingot_pack_names x
		WHERE x.name IN (`+anyNames+`) AND x.no >= l.lo AND x.no < l.until AND x.first <= l.hi OFFSET 0) p`, lo, hi, end)
	return out, err
}

func (t *postgresTx) readPacks(ctx context.Context, numbers []int64) ([]packRow, error) {
	var out []packRow
	err := t.rows(ctx, func(scan func(...any) error) error {
		var r packRow
		err := scan(&r.no, &r.first, &r.data)
		out = append(out, r)
		return err
	}, "SELECT no, first, data FROM ingot_packs WHERE no = ANY ($1)", numbers)
	return out, err
}

func (t *postgresTx) occupied(ctx context.Context, spans []span) ([]int, error) {
	lo, hi := make([]int64, len(spans)), make([]int64, len(spans))
	for i, s := range spans {
		lo[i], hi[i] = s.lo, s.hi
	}
	var out []int
	err := t.rows(ctx, func(scan func(...any) error) error {
		var i int
		err := scan(&i)
		out = append(out, i)
		return err
	}, `SELECT l.i - 1 FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS l (lo, hi, i)
		WHERE EXISTS (SELECT 1 FROM ingot_events e WHERE e.no >= l.lo AND e.no <= l.hi)`, lo, hi)
	return out, err
}
