package history

import (
	"context"
	"strconv"

	"ingot/storage/history/internal/lite"

	"github.com/oklog/ulid/v2"
)

// reclaimPages is how many pages one transaction moves.
const reclaimPages = 1000

// reclaim lets the file shrink. The pages of a file that was made without auto_vacuum are
// used again instead.
func (s *sqlite) reclaim(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &sqliteTx{sqlite: s}
	if err := t.run(stDropCounts); err != nil {
		return sqliteFault(ctx, err)
	}
	vacuum, err := s.pragma("auto_vacuum")
	for err == nil && vacuum == 2 && ctx.Err() == nil {
		var free int64
		if free, err = s.pragma("freelist_count"); err != nil || free == 0 {
			break
		}
		err = s.writer.Exec("PRAGMA incremental_vacuum(" + strconv.Itoa(reclaimPages) + ")")
		s.mu.Unlock() // let stores in between
		s.mu.Lock()
	}
	if err == nil {
		// The file shrinks when the log is copied into it. Readers may hold that up.
		err = s.writer.Exec("PRAGMA wal_checkpoint(PASSIVE)")
	}
	if err != nil {
		return sqliteFault(ctx, err)
	}
	return ctx.Err()
}

// pragma reads a number.
func (s *sqlite) pragma(name string) (int64, error) {
	st, err := s.writer.Prepare("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	row, err := st.Next()
	if err != nil || !row {
		return 0, err
	}
	defer st.Reset()
	return st.ColumnInt(0), nil
}

func (t *sqliteTx) deleteRuns(ctx context.Context, rows []runRow, links []batchEventRow) error {
	bundles := map[int64]int64{} // how many of their runs go
	for i := range rows {
		err := t.all(ctx, stDeleteRun, func(st *lite.Stmt) { st.Int(1, rows[i].no) }, func(st *lite.Stmt) {
			if no := st.ColumnInt(0); no != 0 {
				bundles[no]++
			}
		})
		if err != nil {
			return err
		}
	}
	if err := t.leaveBundles(ctx, bundles); err != nil {
		return err
	}
	if err := t.each(ctx, stDeleteChunks, len(rows), func(st *lite.Stmt, i int) { st.Int(1, rows[i].no) }); err != nil {
		return err
	}
	return t.each(ctx, stDeleteLink, len(links), func(st *lite.Stmt, i int) {
		st.Blob(1, links[i].event[:])
		st.Int(2, links[i].run)
	})
}

func (t *sqliteTx) needed(ctx context.Context, keys []key) (map[ulid.ULID]bool, error) {
	out := map[ulid.ULID]bool{}
	for i := range keys {
		id := keys[i].id
		there, err := t.first(ctx, stNeeded, func(st *lite.Stmt) { st.Blob(1, id[:]) }, func(*lite.Stmt) {})
		if err != nil {
			return nil, err
		}
		if there {
			out[id] = true
		}
	}
	return out, nil
}

func (t *sqliteTx) findEvents(ctx context.Context, keys []key) ([]eventRow, error) {
	var out []eventRow
	for i := range keys {
		k := &keys[i]
		_, err := t.first(ctx, stFindEvent, func(st *lite.Stmt) { bindKey(st, k) }, func(st *lite.Stmt) {
			out = append(out, eventRow{key: key{k.id, st.ColumnInt(0)}, name: st.ColumnInt(1)})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *sqliteTx) deleteEvents(ctx context.Context, numbers []int64) error {
	return t.each(ctx, stDeleteEvent, len(numbers), func(st *lite.Stmt, i int) {
		st.Int(1, numbers[i])
	})
}

func (t *sqliteTx) deleteSkips(ctx context.Context, events []ulid.ULID) error {
	return t.each(ctx, stDeleteSkips, len(events), func(st *lite.Stmt, i int) {
		st.Blob(1, events[i][:])
	})
}
