// Package search finds the highest rate at which a server holds an objective.
//
// What does not live here: the runs that the search consists of (package loadgen) and
// the objective that they are held against (package objective).
package search

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ingot/loadgen/result"
)

const (
	// DefaultPrecision is 5 %.
	DefaultPrecision = 0.05
	// minPrecision is far below what differs from one run to the next.
	minPrecision = 0.001
	// MaxProbes bounds a search whose probes contradict each other.
	MaxProbes = 200
)

// Options are where and how to search. Rates are in requests per second.
type Options struct {
	// From is the rate to begin with, and the lowest that is tried; To the highest.
	From, To float64
	// Precision is how far above the rate that was found the objective may still be
	// held, relative to it: 0.05 for 5 %, which 0 stands for too.
	Precision float64
	// Confirm is how many more probes at the rate found have to hold.
	Confirm int
	// Probe does one run at a rate and returns its result with Objective set.
	Probe func(ctx context.Context, rate float64) (*result.Result, error)
	// Log reports the progress; it may be nil.
	Log func(format string, args ...any)
}

// Outcome is what a search found.
type Outcome struct {
	// Rate is the highest rate that held; 0 if not even From did.
	Rate float64
	// Best is the last result at Rate; nil if there is none.
	Best *result.Result
	// Probes are all results in the order in which they were made.
	Probes []*result.Result
	// LimitedBy says in a sentence why Rate is not higher.
	LimitedBy string
}

// Max searches. The rate is doubled from From until a probe fails, then the interval
// is halved down to Precision, then the rate is confirmed; if that fails, the search
// goes on below. A probe fails if it does not meet its objective or if the generator
// could not keep the pace, and only if it does so twice in a row.
//
// Errors of probes, ctx and interrupted runs end the search; the Outcome then tells
// what it knew.
func Max(ctx context.Context, o Options) (Outcome, error) {
	if o.Precision == 0 {
		o.Precision = DefaultPrecision
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if err := o.check(); err != nil {
		return Outcome{}, fmt.Errorf("search: %w", err)
	}
	s := &search{Options: o, high: math.Inf(1)}
	err := s.run(ctx)
	return s.outcome(), err
}

func (o Options) check() error {
	switch {
	case !(o.From > 0) || math.IsInf(o.From, 0):
		return fmt.Errorf("From is %g, not above 0", o.From)
	case !(o.To >= o.From) || math.IsInf(o.To, 0):
		return fmt.Errorf("To is %g, not a rate of at least From, %g", o.To, o.From)
	case !(o.Precision >= minPrecision && o.Precision <= 1):
		return fmt.Errorf("Precision is %g, not from %g to 1", o.Precision, minPrecision)
	case o.Confirm < 0 || o.Confirm > MaxProbes:
		return fmt.Errorf("Confirm is %d, not from 0 to %d", o.Confirm, MaxProbes)
	case o.Probe == nil:
		return errors.New("Probe is missing")
	}
	return nil
}
