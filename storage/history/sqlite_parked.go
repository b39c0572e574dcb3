package history

import (
	"context"

	"ingot/storage/history/internal/lite"
)

func (t *sqliteTx) park(ctx context.Context, no, at int64, data, gone []byte) error {
	return t.each(ctx, stPark, func(st *lite.Stmt, do func() error) error {
		st.Int(1, no)
		st.Int(2, at)
		st.Blob(3, data)
		st.Blob(4, gone)
		return do()
	})
}

func (t *sqliteTx) setGone(ctx context.Context, no int64, gone []byte) error {
	return t.each(ctx, stSetGone, func(st *lite.Stmt, do func() error) error {
		st.Int(1, no)
		st.Blob(2, gone)
		return do()
	})
}

func (t *sqliteTx) unpark(ctx context.Context, no int64) error {
	return t.each(ctx, stUnpark, func(st *lite.Stmt, do func() error) error {
		st.Int(1, no)
		return do()
	})
}
