package inngestdb

import (
	"bytes"
	"context"

	"ingot/engine/event"

	"github.com/oklog/ulid/v2"
)

const eventColumns = "internal_id received_at event_id event_name event_data event_user event_v event_ts"

// readEvents takes a page of events.
func (im *importer) readEvents(ctx context.Context, before string) (place string, more bool, err error) {
	place = before
	n, size := 0, 0
	var page []event.Event
	err = im.eventRows.page(ctx, "internal_id", eventColumns, before, im.rows, func(r row, at string) bool {
		n, place = n+1, at
		if e, ok := im.event(r); ok {
			page = append(page, e)
			size += len(e.Data)
		}
		return size < batchBytes
	})
	if err != nil || len(page) == 0 {
		return place, n > 0, err
	}
	known, err := im.knownEvents(ctx, page)
	if err != nil {
		return place, false, err
	}
	for i := range page {
		e := &page[i]
		if !known[e.InternalID] {
			known[e.InternalID] = true
			im.batch.Events = append(im.batch.Events, e.AppendRecord(nil))
		}
	}
	return place, true, nil
}

// knownEvents are those of a page that history has.
func (im *importer) knownEvents(ctx context.Context, page []event.Event) (map[ulid.ULID]bool, error) {
	list := make([]ulid.ULID, len(page))
	for i := range page {
		list[i] = page[i].InternalID
	}
	found, err := im.dst.EventsByID(ctx, list)
	if err != nil {
		return nil, failed("history", err)
	}
	known := make(map[ulid.ULID]bool, len(page))
	for i := range found {
		known[found[i].ID] = true
	}
	return known, nil
}

// event reads a row; ok is false if there is no use of it.
func (im *importer) event(r row) (e event.Event, ok bool) {
	e.InternalID = r["internal_id"].ulid()
	if e.InternalID == (ulid.ULID{}) || r["event_name"].text() == "" {
		im.faults.add("events without an id or a name", r["event_id"].text())
		return e, false
	}
	e.Name, e.V = []byte(r["event_name"].text()), []byte(r["event_v"].text())
	if id := r["event_id"].text(); id != e.InternalID.String() {
		e.ID = []byte(id)
	}
	e.ReceivedAt, e.TS = millis(r["received_at"].time()), millis(r["event_ts"].time())
	if e.ReceivedAt == 0 {
		e.ReceivedAt = int64(e.InternalID.Time())
	}
	if e.TS == 0 {
		e.TS = e.ReceivedAt
	}
	e.Data = im.object(r, "event_data", &e)
	if e.User = im.object(r, "event_user", &e); string(e.User) == "{}" {
		e.User = nil
	}
	return e, true
}

// object reads a JSON object of an event; nil if it is absent or none.
func (im *importer) object(r row, column string, e *event.Event) []byte {
	raw, ok := r[column].json()
	if !ok || raw != nil && !bytes.HasPrefix(raw, []byte("{")) {
		im.faults.add(column+" that is no JSON object", e.InternalID.String())
		return nil
	}
	return raw
}
