package history

import (
	"context"

	"github.com/oklog/ulid/v2"
)

func (t *postgresTx) deleteRuns(ctx context.Context, rows []runRow, links []batchEventRow) error {
	no := make([]int64, len(rows))
	for i := range rows {
		no[i] = rows[i].no
	}
	if err := t.deleteRows(ctx, no); err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM ingot_chunks WHERE run = ANY ($1)", no); err != nil || len(links) == 0 {
		return err
	}
	event, run := make([][]byte, len(links)), make([]int64, len(links))
	for i := range links {
		event[i], run[i] = links[i].event[:], links[i].run
	}
	return t.exec(ctx, `DELETE FROM ingot_batch_events b USING unnest($1::bytea[], $2::bigint[]) AS u (event, run)
		WHERE b.event = u.event AND b.run = u.run`, event, run)
}

func (t *postgresTx) needed(ctx context.Context, keys []key) (map[ulid.ULID]bool, error) {
	list := make([][]byte, len(keys))
	for i := range keys {
		list[i] = keys[i].id[:]
	}
	out := map[ulid.ULID]bool{}
	err := t.rows(ctx, func(scan func(...any) error) error {
		var id []byte
		err := scan(&id)
		out[toID(id)] = true
		return err
	}, "SELECT e.id FROM unnest($1::bytea[]) AS e (id) WHERE NOT ("+notNeeded+")", list)
	return out, err
}

func (t *postgresTx) findEvents(ctx context.Context, keys []key) ([]eventRow, error) {
	no, id := make([]int64, len(keys)), make([][]byte, len(keys))
	for i := range keys {
		no[i], id[i] = keys[i].no, keys[i].id[:]
	}
	var out []eventRow
	err := t.rows(ctx, func(scan func(...any) error) error {
		var r eventRow
		var id []byte
		err := scan(&r.no, &r.name, &id)
		r.id = toID(id)
		out = append(out, r)
		return err
	}, `SELECT e.no, e.name, e.id FROM unnest($1::bigint[], $2::bytea[]) AS l (no, id) CROSS JOIN LATERAL (
		SELECT x.no, x.name, x.id FROM ingot_events x WHERE x.no >= l.no AND x.no < l.no + $3 AND x.id = l.id ORDER BY x.no LIMIT 1) e`,
		no, id, numberSpan)
	return out, err
}

func (t *postgresTx) deleteEvents(ctx context.Context, numbers []int64) error {
	return t.exec(ctx, "DELETE FROM ingot_events WHERE no = ANY ($1)", numbers)
}

func (t *postgresTx) deleteSkips(ctx context.Context, events []ulid.ULID) error {
	return t.exec(ctx, "DELETE FROM ingot_skips WHERE event = ANY ($1)", byteSlices(events))
}
