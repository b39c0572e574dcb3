// Package why tells for an event what became of it in each function that it may concern:
// which run it started, why it was suppressed or still waits, or why no trigger of the
// function was met. REST and GraphQL share it.
//
// What does not live here: deciding it. That is the engine's (engine/route.go,
// engine/start.go); what it has recorded is read, and where there is no record, triggers
// are evaluated once more as they are registered now.
package why

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Outcome is what became of an event in a function.
type Outcome string

const (
	// Run: it started a run, or is part of one.
	Run Outcome = "RUN"
	// Skipped: it started none; Reason is one of engine.Skip….
	Skipped Outcome = "SKIPPED"
	// Pending: it waits with others for a run; Reason is one of engine.Skip….
	Pending Outcome = "PENDING"
	// NotMatched: the function's triggers have the event's name, but none was met.
	NotMatched Outcome = "NOT_MATCHED"
)

// Decision is what became of an event in one function.
type Decision struct {
	// Function is zero if the event names a function that is not registered.
	Function ids.UUID
	Outcome  Outcome
	// Reason is empty with a run.
	Reason string
	// Run is the first run that the event started there; zero unless the outcome is Run.
	Run ulid.ULID
}

// Reader is the part of the read model that is needed; history.Reader has it.
type Reader interface {
	RunsOfEvents(ctx context.Context, events []ulid.ULID, outputs bool) (map[ulid.ULID][]history.Run, error)
	Skips(ctx context.Context, events []ulid.ULID) ([]history.Skip, error)
}

// Explain returns the decisions about each event by its internal id, ordered by the
// functions' slugs. It does two queries.
func Explain(ctx context.Context, r Reader, s *engine.Snapshot, events []*history.Event) (map[ulid.ULID][]Decision, error) {
	if len(events) == 0 {
		return nil, nil
	}
	list := make([]ulid.ULID, len(events))
	for i, e := range events {
		list[i] = e.ID
	}
	runs, err := r.RunsOfEvents(ctx, list, false)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller knows what was asked for
	}
	skips, err := r.Skips(ctx, list)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	skipped := map[ulid.ULID][]history.Skip{}
	for _, k := range skips {
		skipped[k.Event] = append(skipped[k.Event], k)
	}
	out := make(map[ulid.ULID][]Decision, len(events))
	for _, e := range events {
		out[e.ID] = explain(s, e, runs[e.ID], skipped[e.ID])
	}
	return out, nil
}

// explain decides about one event: what is recorded wins over what would be.
func explain(s *engine.Snapshot, e *history.Event, runs []history.Run, skips []history.Skip) []Decision {
	found := map[ids.UUID]Decision{}
	for i := range runs {
		run := &runs[i]
		// Replays are another thing: somebody asked for them.
		if _, known := found[run.Function]; !known && run.Original == (ulid.ULID{}) {
			found[run.Function] = Decision{Function: run.Function, Outcome: Run, Run: run.ID}
		}
	}
	// The latest is what holds: what was pending may have been dropped since.
	slices.SortStableFunc(skips, func(a, b history.Skip) int { return cmp.Compare(b.At, a.At) })
	for _, k := range skips {
		if _, known := found[k.Function]; known {
			continue
		}
		d := Decision{Function: k.Function, Outcome: Skipped, Reason: k.Reason}
		if k.Pending {
			d.Outcome = Pending
		}
		found[k.Function] = d
	}
	for _, d := range unrecorded(s, e) {
		if _, known := found[d.Function]; !known {
			found[d.Function] = d
		}
	}
	out := make([]Decision, 0, len(found))
	for _, d := range found {
		out = append(out, d)
	}
	slug := func(d Decision) string {
		if f := s.ByID[d.Function]; f != nil {
			return f.Slug
		}
		return ""
	}
	slices.SortFunc(out, func(a, b Decision) int {
		if c := strings.Compare(slug(a), slug(b)); c != 0 {
			return c
		}
		return strings.Compare(a.Function.String(), b.Function.String())
	})
	return out
}
