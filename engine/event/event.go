// Package event holds the event: its parsing and validation from the wire
// (spec 02 §3, spec 03 §3), its record in the write-ahead log, and the
// canonical JSON in which functions see it. Everything here works on spans of
// the input; nothing decodes `data` into maps.
//
// What does not live here: HTTP (package api) and what an event sets off
// (package engine).
package event

import "github.com/oklog/ulid/v2"

// Event is one accepted event. Its byte slices may alias the buffer that it was
// parsed or decoded from and are valid as long as that buffer is.
type Event struct {
	// InternalID is the server's id: a fresh ULID, or one derived from the
	// sender's seed header.
	InternalID ulid.ULID
	// ID is the event's `id` as decoded text. Empty means: the text of InternalID.
	ID []byte
	// Name is the event's name as decoded text.
	Name []byte
	// Data is the raw JSON object of `data`; empty means {}.
	Data []byte
	// User is the raw JSON object of `user`; empty means {}.
	User []byte
	// V is the version tag as decoded text; empty if none.
	V []byte
	// Sessions is the raw JSON object of the merged `meta.sessions`; empty if none.
	Sessions []byte
	// TS is the event's time in unix ms, never 0 after normalisation.
	TS int64
	// ReceivedAt is the time of acceptance in unix ms.
	ReceivedAt int64
	// Trace is the id that the event's distributed trace began with, if that is not
	// the event itself: the server's events belong to the trace of the run that they
	// are about. Zero for users' events.
	Trace ulid.ULID
	// Seeded says that InternalID came from a seed, so it can occur again.
	Seeded bool
}

// TraceRoot is the id that the event's distributed trace began with.
func (e *Event) TraceRoot() ulid.ULID {
	if e.Trace == (ulid.ULID{}) {
		return e.InternalID
	}
	return e.Trace
}

// Dedupable reports whether a second event can carry the same id, so that runs
// started by this one need a de-duplication key (spec 03 §7.2).
func (e *Event) Dedupable() bool { return len(e.ID) > 0 || e.Seeded }
