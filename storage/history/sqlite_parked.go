package history

import (
	"context"

	"ingot/storage/history/internal/lite"
)

func (t *sqliteTx) park(ctx context.Context, no, at int64, data, gone []byte) error {
	return t.one(ctx, stPark, func(st *lite.Stmt) {
		st.Int(1, no)
		st.Int(2, at)
		st.Blob(3, data)
		st.Blob(4, gone)
	})
}

func (t *sqliteTx) setGone(ctx context.Context, no int64, gone []byte) error {
	return t.one(ctx, stSetGone, func(st *lite.Stmt) {
		st.Int(1, no)
		st.Blob(2, gone)
	})
}

func (t *sqliteTx) unpark(ctx context.Context, no int64) error {
	for _, i := range []int{stUnpark, stDropGone} {
		if err := t.one(ctx, i, func(st *lite.Stmt) { st.Int(1, no) }); err != nil {
			return err
		}
	}
	return nil
}
