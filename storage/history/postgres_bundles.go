package history

import "context"

func (t *postgresTx) lastBundle(ctx context.Context) (no int64, err error) {
	err = t.rows(ctx, func(scan func(...any) error) error { return scan(&no) }, "SELECT coalesce(max(no), 0) FROM ingot_bundles")
	return no, err
}

func (t *postgresTx) insertBundles(ctx context.Context, rows []bundleRow) error {
	var no, runs []int64
	var data [][]byte
	for i := range rows {
		if r := &rows[i]; r.runs > 0 {
			no, runs, data = append(no, r.no), append(runs, r.runs), append(data, r.data)
		}
	}
	if len(no) == 0 {
		return nil
	}
	return t.exec(ctx, "INSERT INTO ingot_bundles (no, runs, data) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])", no, runs, data)
}

// deleteRows deletes the rows of runs, and bundles that only they refer to.
func (t *postgresTx) deleteRows(ctx context.Context, runs []int64) error {
	var no, gone []int64
	err := t.rows(ctx, func(scan func(...any) error) error {
		var bundle, n int64
		err := scan(&bundle, &n)
		no, gone = append(no, bundle), append(gone, n)
		return err
	}, `WITH d AS (DELETE FROM ingot_runs WHERE no = ANY ($1) RETURNING bundle)
		SELECT d.bundle, count(*) FROM d WHERE d.bundle > 0 GROUP BY d.bundle`, runs)
	if err != nil || len(no) == 0 {
		return err
	}
	const of = " unnest($1::bigint[], $2::bigint[]) AS u (no, gone) WHERE b.no = u.no"
	if err := t.exec(ctx, "DELETE FROM ingot_bundles b USING"+of+" AND b.runs <= u.gone", no, gone); err != nil {
		return err
	}
	return t.exec(ctx, "UPDATE ingot_bundles b SET runs = b.runs - u.gone FROM"+of, no, gone)
}
