package main

import (
	"errors"
	"fmt"
	"slices"

	"ingot/loadgen/result"
)

// results are what the measurements of all rounds gave.
type results struct {
	rounds []map[string]outcome // by name
}

// outcome is what one loadgen command gave.
type outcome struct {
	command string
	results []*result.Result
	err     error
}

// add keeps an outcome of a round, which counts from 0.
func (s *results) add(round int, name string, o outcome) {
	for len(s.rounds) <= round {
		s.rounds = append(s.rounds, map[string]outcome{})
	}
	s.rounds[round][name] = o
}

// of returns the result of a measurement in a round, or of the only round in which
// it was made.
func (s *results) of(round int, name string) (*result.Result, error) {
	o, ok := s.rounds[round][name]
	if !ok {
		return nil, fmt.Errorf("%s was not measured in round %d", name, round+1)
	}
	switch {
	case o.err != nil:
		return nil, fmt.Errorf("%s: %w", name, o.err)
	case len(o.results) == 0:
		return nil, fmt.Errorf("%s gave no result", name)
	case o.results[0].Interrupted:
		return nil, fmt.Errorf("%s was interrupted", name)
	}
	return o.results[0], nil
}

// latest returns the newest good result of a measurement.
func (s *results) latest(name string) (r *result.Result, err error) {
	err = fmt.Errorf("%s has not been measured yet", name)
	for round := range slices.Backward(s.rounds) {
		if r, err = s.of(round, name); err == nil {
			return r, nil
		}
	}
	return nil, err
}

// highestRate is the highest rate at which a search held its objective.
func (s *results) highestRate(name string) (float64, error) {
	highest := 0.0
	for _, round := range s.rounds {
		o := round[name]
		if o.err != nil {
			return 0, fmt.Errorf("%s: %w", name, o.err)
		}
		for _, r := range o.results {
			if r.Objective != nil && r.Objective.Met {
				highest = max(highest, r.Pacing.Rate)
			}
		}
	}
	if highest == 0 {
		return 0, fmt.Errorf("%s found no rate", name)
	}
	return highest, nil
}

// failures joins what went wrong, without what could not be tried because of that.
func (s *results) failures() error {
	var errs []error
	for i, round := range s.rounds {
		for _, m := range measurements {
			if o := round[m.name]; o.err != nil && o.command != "" {
				errs = append(errs, fmt.Errorf("round %d, %s: %w", i+1, m.name, o.err))
			}
		}
	}
	return errors.Join(errs...)
}

// commands are the command lines of a measurement that differ.
func (s *results) commands(name string) []string {
	var list []string
	for _, round := range s.rounds {
		if c := round[name].command; c != "" && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// remarks are reasons to distrust a result: what loadgen warns of, and work that
// was lost or done twice.
func remarks(r *result.Result) []string {
	list := slices.Clone(r.Warnings)
	for _, c := range []struct {
		n    int64
		what string
	}{
		{r.Counts.Lost, "runs were lost"}, {r.Counts.DoubledRuns, "runs were started twice"},
		{r.Counts.DoubledSteps, "steps were executed twice"}, {r.Counts.Refused, "events were refused"},
		{skipped(r), "events were skipped by flow control"},
		{r.Counts.Unknown, "events got no answer"}, {r.Counts.Unsent, "events could not be sent"},
	} {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return list
}

func skipped(r *result.Result) int64 {
	if r.Flow == nil {
		return 0
	}
	return r.Flow.Skipped
}
