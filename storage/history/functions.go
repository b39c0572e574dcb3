package history

import (
	"context"
	"sync"

	"ingot/internal/ids"
)

// functions is what is known of ingot_functions: few rows that every query needs. The
// writer learns rows before they are committed, so readers may know of more than there is.
type functions struct {
	mu     sync.RWMutex
	byID   map[ids.UUID]functionRow
	byNo   map[int64]ids.UUID
	loaded bool // it is all there is
}

func (f *functions) learn(rows []functionRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID, f.byNo = map[ids.UUID]functionRow{}, map[int64]ids.UUID{}
	}
	for _, r := range rows {
		f.byID[r.id] = r
		f.byNo[r.no] = r.id
	}
}

// forget makes the next reader load them.
func (f *functions) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID, f.byNo, f.loaded = nil, nil, false
}

func (f *functions) get(id ids.UUID) (functionRow, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	r, ok := f.byID[id]
	return r, ok
}

// id is the function of a number; zero if there is none.
func (f *functions) id(no int64) ids.UUID {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.byNo[no]
}

// all returns the rows of functions, or with nil of all.
func (f *functions) all(only []ids.UUID) []functionRow {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var rows []functionRow
	if only == nil {
		for _, r := range f.byID {
			rows = append(rows, r)
		}
		return rows
	}
	for _, id := range only {
		if r, ok := f.byID[id]; ok {
			rows = append(rows, r)
		}
	}
	return rows
}

// loadFunctions makes sure that the functions are known.
func (db *DB) loadFunctions(ctx context.Context) error {
	f := &db.functions
	f.mu.RLock()
	loaded := f.loaded
	f.mu.RUnlock()
	if loaded {
		return nil
	}
	var rows []functionRow
	err := db.query(ctx, "SELECT no, id, states FROM ingot_functions", nil, func(scan func(...any) error) error {
		var r functionRow
		var id []byte
		if err := scan(&r.no, &id, &r.states); err != nil {
			return err
		}
		copy(r.id[:], id)
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return err
	}
	// The writer may have learned newer rows meanwhile.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID, f.byNo = map[ids.UUID]functionRow{}, map[int64]ids.UUID{}
	}
	for _, r := range rows {
		r.states |= f.byID[r.id].states
		f.byID[r.id] = r
		f.byNo[r.no] = r.id
	}
	f.loaded = true
	return nil
}

// function returns the row of a function, which it adds if there is none.
func (s *store) function(ctx context.Context, id ids.UUID) (functionRow, error) {
	if fn, ok := s.db.functions.get(id); ok {
		return fn, nil
	}
	row, err := s.tx.function(ctx, id)
	if err == nil {
		s.db.functions.learn([]functionRow{row})
	}
	return row, err
}

// mark notes that the function has had runs in states.
func (s *store) mark(ctx context.Context, id ids.UUID, states int64) error {
	fn, err := s.function(ctx, id)
	if err != nil || fn.states&states == states {
		return err
	}
	fn.states |= states
	if err := s.tx.setStates(ctx, fn.no, fn.states); err != nil {
		return err
	}
	s.db.functions.learn([]functionRow{fn})
	return nil
}
