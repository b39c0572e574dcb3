// Package loadgen measures a server that speaks the public protocol, as the sender
// of events and as the app whose functions run: a Plan and a target go in, a
// result comes out.
//
// What does not live here: sending (package sender), the app (app), the record of
// each event (ledger), pacing, starting servers (target), the search for the
// highest rate (search) and how results are shown (report).
package loadgen

import (
	"context"
	"errors"

	"ingot/loadgen/result"
	"ingot/loadgen/target"
)

// Run measures t as p says. It ends early, with a complete result that says
// Interrupted, when ctx ends. An error means that there is nothing to report.
func Run(ctx context.Context, p Plan, t *target.Target) (*result.Result, error) {
	return nil, errors.New("not yet")
}
