package history

import (
	"context"
	"errors"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history/internal/lite"

	"github.com/oklog/ulid/v2"
)

// sqliteTx is a transaction of the writer, whose lock it holds.
type sqliteTx struct {
	*sqlite
	stop func() // ends the interruption by the context
}

func (s *sqlite) begin(ctx context.Context) (tx, error) {
	s.mu.Lock()
	t := &sqliteTx{sqlite: s}
	if err := errors.Join(t.undo(), t.run(stBegin)); err != nil {
		s.mu.Unlock()
		return nil, sqliteFault(ctx, err)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		s.writer.Interrupt()
		close(interrupted)
	})
	t.stop = func() {
		if !stop() {
			<-interrupted
		}
	}
	return t, nil
}

// stmt returns a statement, prepared.
func (t *sqliteTx) stmt(i int) (*lite.Stmt, error) {
	if t.stmts[i] == nil {
		var err error
		if t.stmts[i], err = t.writer.Prepare(statements[i]); err != nil {
			return nil, err
		}
	}
	return t.stmts[i], nil
}

func (t *sqliteTx) run(i int) error {
	st, err := t.stmt(i)
	if err != nil {
		return err
	}
	return st.Run()
}

func (t *sqliteTx) commit(ctx context.Context) error {
	t.stop() // a commit is not interrupted
	defer t.mu.Unlock()
	err := ctx.Err()
	if err == nil {
		err = t.run(stCommit)
	}
	if err == nil {
		return nil
	}
	return errors.Join(sqliteFault(ctx, err), t.undo())
}

func (t *sqliteTx) rollback() {
	t.stop()
	defer t.mu.Unlock()
	// An error would be that of a connection which the next begin finds broken.
	_ = t.undo()
}

func (t *sqliteTx) undo() error {
	if !t.writer.InTransaction() { // SQLite has done so itself
		return nil
	}
	return t.run(stRollback)
}

func (t *sqliteTx) setCursors(ctx context.Context, cursors map[string]int64) error {
	for name, v := range cursors {
		err := t.one(ctx, stSetCursor, func(st *lite.Stmt) {
			st.Text(1, []byte(name))
			st.Int(2, v)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each executes a statement n times; set binds the parameters of execution k.
func (t *sqliteTx) each(ctx context.Context, i, n int, set func(st *lite.Stmt, k int)) error {
	_, err := t.insert(ctx, i, n, set)
	return err
}

// one executes a statement once.
func (t *sqliteTx) one(ctx context.Context, i int, set func(st *lite.Stmt)) error {
	return t.each(ctx, i, 1, func(st *lite.Stmt, _ int) { set(st) })
}

// insert is each for new rows. It returns the numbers of executions that changed nothing:
// there was such a row.
func (t *sqliteTx) insert(ctx context.Context, i, n int, set func(st *lite.Stmt, k int)) (clashes []int, err error) {
	st, err := t.stmt(i)
	if err != nil {
		return nil, sqliteFault(ctx, err)
	}
	for k := range n {
		t.pace.Step()
		set(st, k)
		if err := st.Run(); err != nil {
			return nil, sqliteFault(ctx, err)
		}
		if t.writer.Changes() == 0 {
			clashes = append(clashes, k)
		}
	}
	return clashes, nil
}

// first executes a statement that gives at most one row.
func (t *sqliteTx) first(ctx context.Context, i int, set, row func(st *lite.Stmt)) (bool, error) {
	st, err := t.stmt(i)
	if err != nil {
		return false, sqliteFault(ctx, err)
	}
	set(st)
	there, err := st.Next()
	if err != nil {
		return false, sqliteFault(ctx, err)
	}
	if there {
		row(st)
		st.Reset()
	}
	return there, nil
}

func (t *sqliteTx) function(ctx context.Context, id ids.UUID) (functionRow, error) {
	r := functionRow{id: id}
	there, err := t.first(ctx, stFunction,
		func(st *lite.Stmt) { st.Blob(1, id[:]) },
		func(st *lite.Stmt) { r.no, r.states = st.ColumnInt(0), st.ColumnInt(1) })
	if err != nil || there {
		return r, err
	}
	_, err = t.first(ctx, stAddFunction,
		func(st *lite.Stmt) { st.Blob(1, id[:]) },
		func(st *lite.Stmt) { r.no = st.ColumnInt(0) })
	return r, err
}

func (t *sqliteTx) setStates(ctx context.Context, fn, states int64) error {
	return t.one(ctx, stSetStates, func(st *lite.Stmt) {
		st.Int(1, states)
		st.Int(2, fn)
	})
}

func (t *sqliteTx) names(ctx context.Context, names []string) (map[string]int64, error) {
	out := make(map[string]int64, len(names))
	for _, name := range names {
		var no int64
		number := func(st *lite.Stmt) { no = st.ColumnInt(0) }
		there, err := t.first(ctx, stName, func(st *lite.Stmt) { st.Text(1, []byte(name)) }, number)
		if err == nil && !there {
			sign := int64(1)
			if internalName(name) {
				sign = -1
			}
			_, err = t.first(ctx, stAddName, func(st *lite.Stmt) { st.Int(1, sign); st.Text(2, []byte(name)) }, number)
		}
		if err != nil {
			return nil, err
		}
		out[name] = no
	}
	return out, nil
}

func (t *sqliteTx) insertEvents(ctx context.Context, rows []*eventRow) (clashes []int, err error) {
	return t.insert(ctx, stAddEvent, len(rows), func(st *lite.Stmt, i int) {
		r := rows[i]
		st.Int(1, r.no)
		st.Blob(2, r.id[:])
		st.Int(3, r.name)
		st.Int(4, r.received)
		st.Int(5, r.ts)
		st.Text(6, r.external)
		st.Text(7, r.v)
		st.Blob(8, r.data)
		st.Blob(9, r.user)
		st.Blob(10, r.sessions)
	})
}

func (t *sqliteTx) insertRuns(ctx context.Context, rows []*runRow) (clashes []int, err error) {
	return t.insert(ctx, stAddRun, len(rows), func(st *lite.Stmt, i int) {
		r := rows[i]
		st.Int(1, r.no)
		st.Blob(2, r.id[:])
		st.Int(3, r.class)
		st.Int(4, r.started)
		st.Int(5, r.ended)
		st.Blob(6, r.event)
		st.Int(7, int64(r.flags))
		st.Int(8, r.chunks)
		st.Blob(9, r.extra)
		st.Blob(10, r.trace)
		st.Int(11, r.bundle)
	})
}

func (t *sqliteTx) findRuns(ctx context.Context, keys []key) (map[int]*runRow, error) {
	found := map[int]*runRow{}
	for i := range keys {
		k := &keys[i]
		_, err := t.first(ctx, stFindRun, func(st *lite.Stmt) { bindKey(st, k) }, func(st *lite.Stmt) {
			found[i] = &runRow{
				key: key{k.id, st.ColumnInt(0)}, class: st.ColumnInt(1), started: st.ColumnInt(2), ended: st.ColumnInt(3),
				event: st.ColumnBytes(4), flags: engine.LifecycleFlags(st.ColumnInt(5)), chunks: st.ColumnInt(6),
				extra: st.ColumnBytes(7), trace: st.ColumnBytes(8),
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// bindKey sets the parameters of a search for a row.
func bindKey(st *lite.Stmt, k *key) {
	st.Int(1, k.no)
	st.Int(2, k.no+numberSpan)
	st.Blob(3, k.id[:])
}

func (t *sqliteTx) has(ctx context.Context, of table, k key) (bool, error) {
	i := stHasEvent
	if of == tableRuns {
		i = stHasRun
	}
	return t.first(ctx, i, func(st *lite.Stmt) { bindKey(st, &k) }, func(*lite.Stmt) {})
}

func (t *sqliteTx) taken(ctx context.Context, of table, no int64, visit func(no int64) bool) error {
	i := map[table]int{tableRuns: stRunNumbers, tableEvents: stEventNumbers, tablePacks: stPackNumbers}[of]
	st, err := t.stmt(i)
	if err != nil {
		return sqliteFault(ctx, err)
	}
	st.Int(1, no)
	for {
		row, err := st.Next()
		if err != nil {
			return sqliteFault(ctx, err)
		}
		if !row {
			return nil
		}
		if !visit(st.ColumnInt(0)) {
			st.Reset()
			return nil
		}
	}
}

func (t *sqliteTx) updateRuns(ctx context.Context, rows []*runRow) error {
	return t.each(ctx, stUpdateRun, len(rows), func(st *lite.Stmt, k int) {
		r := rows[k]
		st.Int(1, r.no)
		st.Int(2, r.class)
		st.Int(3, r.started)
		st.Int(4, r.ended)
		st.Blob(5, r.event)
		st.Int(6, int64(r.flags))
		st.Int(7, r.chunks)
		st.Blob(8, r.extra)
		st.Blob(9, r.trace)
	})
}

func (t *sqliteTx) insertChunks(ctx context.Context, rows []chunkRow) error {
	return t.each(ctx, stAddChunk, len(rows), func(st *lite.Stmt, k int) {
		r := rows[k]
		st.Int(1, r.run)
		st.Int(2, r.seq)
		st.Blob(3, r.data)
	})
}

func (t *sqliteTx) takeChunks(ctx context.Context, runs []int64) (map[int64][]byte, error) {
	out := map[int64][]byte{}
	st, err := t.stmt(stChunks)
	if err != nil {
		return nil, sqliteFault(ctx, err)
	}
	var there []int64
	for _, run := range runs {
		st.Int(1, run)
		for {
			row, err := st.Next()
			if err != nil {
				return nil, sqliteFault(ctx, err)
			}
			if !row {
				break
			}
			out[run] = append(out[run], st.ColumnBytes(0)...)
		}
		if len(out[run]) > 0 {
			there = append(there, run)
		}
	}
	return out, t.each(ctx, stDeleteChunks, len(there), func(st *lite.Stmt, k int) {
		st.Int(1, there[k])
	})
}

func (t *sqliteTx) insertBatchEvents(ctx context.Context, rows []batchEventRow) error {
	return t.each(ctx, stAddBatchEvent, len(rows), func(st *lite.Stmt, i int) {
		st.Blob(1, rows[i].event[:])
		st.Int(2, rows[i].run)
	})
}

func (t *sqliteTx) putSkips(ctx context.Context, rows []skipRow) error {
	return t.each(ctx, stPutSkip, len(rows), func(st *lite.Stmt, i int) {
		r := &rows[i]
		st.Blob(1, r.event[:])
		st.Int(2, r.fn)
		st.Text(3, []byte(r.reason))
		st.Int(4, r.at)
		st.Int(5, truth(r.pending))
	})
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t *sqliteTx) deletePending(ctx context.Context, fn int64, events []ulid.ULID) error {
	return t.each(ctx, stDeletePending, len(events), func(st *lite.Stmt, i int) {
		st.Blob(1, events[i][:])
		st.Int(2, fn)
	})
}

func (t *sqliteTx) addCounts(ctx context.Context, deltas map[countKey]int64) error {
	for k, n := range deltas {
		if n == 0 {
			continue
		}
		err := t.one(ctx, stAddCount, func(st *lite.Stmt) {
			st.Int(1, k.kind)
			st.Int(2, k.bucket)
			st.Int(3, k.key)
			st.Int(4, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
