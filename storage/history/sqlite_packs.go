package history

import (
	"context"

	"ingot/storage/history/internal/lite"
)

func (t *sqliteTx) insertPacks(ctx context.Context, rows []*packRow) (clashes []int, err error) {
	return t.insert(ctx, stAddPack, len(rows), func(st *lite.Stmt, i int) {
		st.Int(1, rows[i].no)
		st.Int(2, rows[i].first)
		st.Blob(3, rows[i].data)
	})
}

func (t *sqliteTx) insertPackNames(ctx context.Context, rows []*packRow) error {
	for _, r := range rows {
		err := t.each(ctx, stAddPackName, len(r.names), func(st *lite.Stmt, i int) {
			st.Int(1, r.names[i].name)
			st.Int(2, r.no)
			st.Int(3, r.first)
			st.Int(4, r.names[i].n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTx) replacePacks(ctx context.Context, rows []*packRow) error {
	for _, r := range rows {
		var err error
		if len(r.data) == 0 {
			err = t.one(ctx, stDeletePack, func(st *lite.Stmt) { st.Int(1, r.no) })
		} else {
			err = t.one(ctx, stSetPack, func(st *lite.Stmt) { st.Int(1, r.no); st.Blob(2, r.data) })
		}
		for i := 0; i < len(r.names) && err == nil; i++ {
			n, how := r.names[i], stSetPackName
			if n.n == 0 {
				how = stDeletePackName
			}
			err = t.one(ctx, how, func(st *lite.Stmt) {
				st.Int(1, n.name)
				st.Int(2, r.no)
				if n.n != 0 {
					st.Int(3, n.n)
				}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTx) overlaps(ctx context.Context, spans []span) ([]span, error) {
	var out []span
	for _, s := range spans {
		err := t.all(ctx, stOverlaps, func(st *lite.Stmt) {
			st.Int(1, s.lo)
			st.Int(2, s.end())
			st.Int(3, s.hi)
		}, func(st *lite.Stmt) {
			out = append(out, span{st.ColumnInt(1), st.ColumnInt(0)})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *sqliteTx) readPacks(ctx context.Context, numbers []int64) ([]packRow, error) {
	out := make([]packRow, 0, len(numbers))
	for _, no := range numbers {
		_, err := t.first(ctx, stReadPack, func(st *lite.Stmt) { st.Int(1, no) }, func(st *lite.Stmt) {
			out = append(out, packRow{no: no, first: st.ColumnInt(0), data: st.ColumnBytes(1)})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *sqliteTx) occupied(ctx context.Context, spans []span) ([]int, error) {
	var out []int
	for i, s := range spans {
		there, err := t.first(ctx, stOccupied, func(st *lite.Stmt) { st.Int(1, s.lo); st.Int(2, s.hi+1) }, func(*lite.Stmt) {})
		if err != nil {
			return nil, err
		}
		if there {
			out = append(out, i)
		}
	}
	return out, nil
}

// all executes a statement and visits its rows.
func (t *sqliteTx) all(ctx context.Context, i int, set, row func(st *lite.Stmt)) error {
	st, err := t.stmt(i)
	if err != nil {
		return sqliteFault(ctx, err)
	}
	set(st)
	for {
		there, err := st.Next()
		if err != nil {
			return sqliteFault(ctx, err)
		}
		if !there {
			return nil
		}
		row(st)
	}
}
