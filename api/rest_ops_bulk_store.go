package api

import (
	"encoding/json"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// Bulk operations are kept with the catalog (engine.Catalog.SaveJob), from before they are
// acknowledged until they are forgotten. A replay saves how far it is now and then; what
// it did after that is done once more after a crash, under the same names, which the
// engine refuses. A cancellation's progress is the engine's own, under the operation's id.

// bulkVersion is the form of records.
const bulkVersion = 1

// bulkRecord is a stored operation.
type bulkRecord[T any] struct {
	V     int       `json:"v"`
	Kind  string    `json:"kind"`
	Head  bulkHead  `json:"head"`
	View  T         `json:"view"`
	Place bulkPlace `json:"place"`
}

// save makes the operation as it is now durable.
func (l *bulkList[T]) save(j *bulkJob[T]) error {
	j.mu.Lock()
	record, err := json.Marshal(bulkRecord[T]{V: bulkVersion, Kind: l.kind, Head: j.head, View: j.view, Place: j.place})
	j.mu.Unlock()
	if err == nil {
		err = l.s.opts.Catalog.SaveJob(j.id, record)
	}
	if err != nil {
		return fmt.Errorf("save a bulk %s: %w", l.kind, err)
	}
	return nil
}

// saveLater is save where a failure costs no more than work that is done once more.
func (l *bulkList[T]) saveLater(j *bulkJob[T]) {
	if err := l.save(j); err != nil {
		l.s.log.Error("how far a bulk operation is cannot be saved; it would begin from its last place after a restart", "id", j.id.String(), "error", err)
	}
}

// drop deletes what is stored of an operation.
func (l *bulkList[T]) drop(j *bulkJob[T]) {
	if err := l.s.opts.Catalog.SaveJob(j.id, nil); err != nil {
		l.s.log.Error("a bulk operation cannot be forgotten", "id", j.id.String(), "error", err)
	}
}

// resume takes over what is stored, and goes on with what has not ended.
func (d *bulkDesk) resume() {
	err := d.s.opts.Catalog.Jobs(func(id ulid.ULID, record []byte) {
		var head struct {
			V    int    `json:"v"`
			Kind string `json:"kind"`
		}
		err := json.Unmarshal(record, &head)
		switch {
		case err != nil:
		case head.V != bulkVersion:
			err = fmt.Errorf("it has version %d, this program knows version %d", head.V, bulkVersion)
		case head.Kind == d.cancellations.kind:
			err = d.cancellations.load(id, record)
		case head.Kind == d.replays.kind:
			err = d.replays.load(id, record)
		default:
			err = fmt.Errorf("it is of the unknown kind %q", head.Kind)
		}
		if err != nil {
			d.s.log.Error("a stored bulk operation cannot be read; it does not go on", "id", id.String(), "error", err)
		}
	})
	if err != nil {
		d.s.log.Error("stored bulk operations cannot be read; they do not go on", "error", err)
	}
	d.cancellations.goOn()
	d.replays.goOn()
}

func (l *bulkList[T]) load(id ulid.ULID, record []byte) error {
	var r bulkRecord[T]
	if err := json.Unmarshal(record, &r); err != nil {
		return fmt.Errorf("a bulk %s: %w", l.kind, err)
	}
	j := &bulkJob[T]{id: id, done: make(chan struct{}), head: r.Head, view: r.View, place: r.Place, ended: r.Head.Status != bulkRunning}
	if j.ended {
		close(j.done)
	}
	l.jobs = append(l.jobs, j)
	return nil
}

// goOn runs what was running.
func (l *bulkList[T]) goOn() {
	for _, j := range l.jobs {
		if !j.over() {
			l.s.log.Info("a bulk operation goes on after a restart", "kind", l.kind, "id", j.id.String())
			l.run(l.bound(j), j)
		}
	}
}
