// Package compare measures several servers in interleaved rounds and says in
// words what differs, by how much, and when the noise is too great to tell.
//
// How one round is measured is injected; the statistics live in package stats,
// and how a comparison looks on a page in package report.
package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ingot/loadgen/result"
)

// Bounds of a comparison.
const (
	maxTargets = 16
	maxRounds  = 1000
)

// Config says what is compared.
type Config struct {
	// Targets are the names of the servers, at least two; the others are compared
	// with the first.
	Targets []string
	// Rounds is how often each is measured. Two are needed for an interval; five or
	// more make it narrow.
	Rounds int
	// Measure measures one target once. It may return a result that was cut short
	// when ctx ends; that one is kept, but not compared.
	Measure func(ctx context.Context, target string, round int) (*result.Result, error)
	// Progress gets a sentence before each measurement; it may be nil.
	Progress func(string)
}

// Comparison is what came out. Its JSON form is that of `comparison.json`.
type Comparison struct {
	Schema  int       `json:"comparison_schema"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	// Targets in the order given; the first is the base of every ratio.
	Targets []string `json:"targets"`
	// Rounds is how many were asked for; Rows tell how many there were.
	Rounds int `json:"rounds"`
	// Method says what decides about a verdict.
	Method string `json:"method"`
	Rows   []Row  `json:"rows"`
	// Failures are measurements that gave no result.
	Failures []Failure `json:"failures,omitempty"`
	// Warnings are reasons to distrust the figures, as sentences.
	Warnings []string `json:"warnings,omitempty"`
	// Interrupted says that it was ended before all rounds were measured.
	Interrupted bool `json:"interrupted,omitempty"`
	// Results of all measurements, in their order. They are saved on their own.
	Results []*result.Result `json:"-"`
}

// Failure is a measurement without a result.
type Failure struct {
	Target string `json:"target"`
	Round  int    `json:"round"`
	Error  string `json:"error"`
}

// Run measures the targets in turn, A B B A A B, so that what drifts with time (a
// disk that fills, a machine that heats up) meets both alike. A measurement that
// fails is recorded and the others go on. When ctx ends, what was measured until
// then is compared. An error means that c is wrong.
func Run(ctx context.Context, c Config) (*Comparison, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	out := &Comparison{Schema: Schema, Started: time.Now().UTC(), Targets: slices.Clone(c.Targets), Rounds: c.Rounds}
	for round := 1; round <= c.Rounds && !out.Interrupted; round++ {
		c.round(ctx, out, round)
	}
	out.Ended = time.Now().UTC()
	out.analyse()
	return out, nil
}

func (c Config) validate() error {
	if n := len(c.Targets); n < 2 || n > maxTargets {
		return fmt.Errorf("comparison: %d targets, must be 2 to %d", n, maxTargets)
	}
	for i, name := range c.Targets {
		if name == "" || slices.Contains(c.Targets[:i], name) {
			return fmt.Errorf("comparison: target %d is named %q, names must differ and not be empty", i+1, name)
		}
	}
	if c.Rounds < 1 || c.Rounds > maxRounds {
		return fmt.Errorf("comparison: %d rounds, must be 1 to %d", c.Rounds, maxRounds)
	}
	if c.Measure == nil {
		return errors.New("comparison: Measure is nil")
	}
	return nil
}

// round measures each target once, every other time in reverse order.
func (c Config) round(ctx context.Context, out *Comparison, round int) {
	order := slices.Clone(c.Targets)
	if round%2 == 0 {
		slices.Reverse(order)
	}
	for _, target := range order {
		if ctx.Err() != nil {
			out.Interrupted = true
			return
		}
		if c.Progress != nil {
			c.Progress(fmt.Sprintf("round %d of %d: %s", round, c.Rounds, target))
		}
		r, err := c.Measure(ctx, target, round)
		if r != nil {
			r.Round, r.Target.Name = round, target
			out.Results = append(out.Results, r)
		}
		switch {
		case ctx.Err() != nil:
			out.Interrupted = true
			return
		case err != nil:
			out.Failures = append(out.Failures, Failure{Target: target, Round: round, Error: err.Error()})
		case r == nil:
			out.Failures = append(out.Failures, Failure{Target: target, Round: round, Error: "the measurement returned nothing"})
		}
	}
}
