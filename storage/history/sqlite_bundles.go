package history

import (
	"context"

	"ingot/storage/history/internal/lite"
)

func (t *sqliteTx) lastBundle(ctx context.Context) (no int64, err error) {
	_, err = t.first(ctx, stLastBundle, func(*lite.Stmt) {}, func(st *lite.Stmt) { no = st.ColumnInt(0) })
	return no, err
}

func (t *sqliteTx) insertBundles(ctx context.Context, rows []bundleRow) error {
	for i := range rows {
		r := &rows[i]
		if r.runs == 0 {
			continue
		}
		err := t.one(ctx, stAddBundle, func(st *lite.Stmt) {
			st.Int(1, r.no)
			st.Int(2, r.runs)
			st.Blob(3, r.data)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveBundles takes note of how many runs do not refer to bundles any more.
func (t *sqliteTx) leaveBundles(ctx context.Context, gone map[int64]int64) error {
	for no, n := range gone {
		set := func(st *lite.Stmt, _ int) {
			st.Int(1, no)
			st.Int(2, n)
		}
		needed, err := t.insert(ctx, stDeleteBundle, 1, set)
		if err == nil && len(needed) > 0 {
			err = t.each(ctx, stSetBundle, 1, set)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
