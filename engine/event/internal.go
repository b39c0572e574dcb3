package event

import "github.com/oklog/ulid/v2"

// Names of the events that the server itself sends (spec 02 §5.1).
const (
	// InternalPrefix begins the names that senders may not use.
	InternalPrefix = "inngest/"

	NameFunctionInvoked   = "inngest/function.invoked"
	NameFunctionFinished  = "inngest/function.finished"
	NameFunctionFailed    = "inngest/function.failed"
	NameFunctionCancelled = "inngest/function.cancelled"
	NameScheduledTimer    = "inngest/scheduled.timer"
	NameDeferredSchedule  = "inngest/deferred.schedule"
	NameHTTPRequest       = "inngest/http.request"
)

// NewInternal returns an event of the server itself. data is a raw JSON object;
// eventID is the event's `id`, empty for the text of id; ts is in unix ms, and is
// also the time of receipt. The event keeps data.
func NewInternal(id ulid.ULID, name, eventID string, data []byte, ts int64) *Event {
	e := &Event{InternalID: id, Name: []byte(name), Data: data, TS: ts, ReceivedAt: ts}
	if eventID != "" {
		e.ID = []byte(eventID)
	}
	return e
}
