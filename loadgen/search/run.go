package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"ingot/loadgen/result"
)

// attempts is how often a probe has to fail in a row to be believed: something else
// on the machine can spoil one.
const attempts = 2

// held is a rate that held, with the last result that showed it.
type held struct {
	rate   float64
	result *result.Result
}

// search is one search in progress.
type search struct {
	Options
	probes []*result.Result
	held   []held  // with growing rates, all below high
	high   float64 // the lowest rate that failed
	why    string  // it failed, as a sentence
}

func (s *search) run(ctx context.Context) error {
	for {
		if err := s.narrow(ctx); err != nil {
			return err
		}
		confirmed, err := s.confirm(ctx)
		if confirmed || err != nil {
			return err
		}
	}
}

// narrow tries rates until the highest that held and the lowest that failed are
// close enough to each other.
func (s *search) narrow(ctx context.Context) error {
	for {
		rate, more := s.next()
		if !more {
			return nil
		}
		if _, err := s.try(ctx, rate); err != nil {
			return err
		}
	}
}

// next returns the rate to try, unless the search is narrow enough.
func (s *search) next() (rate float64, more bool) {
	low := s.low()
	switch {
	case low == 0:
		return s.From, s.high > s.From
	case low >= s.To || s.high <= low*(1+s.Precision):
		return 0, false
	case math.IsInf(s.high, 1):
		return min(2*low, s.To), true
	}
	return math.Sqrt(low * s.high), true // the middle, as precision is relative
}

// confirm repeats the highest rate that held. It is also true if there is none.
func (s *search) confirm(ctx context.Context) (bool, error) {
	rate := s.low()
	for i := 0; i < s.Confirm && rate > 0; i++ {
		if ok, err := s.try(ctx, rate); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// try finds out whether a rate holds.
func (s *search) try(ctx context.Context, rate float64) (bool, error) {
	why := ""
	for range attempts {
		r, err := s.probe(ctx, rate)
		if err != nil {
			return false, err
		}
		switch {
		case r.Generator.Saturated:
			// Nothing is known about the server then, whatever the objective says, nor from
			// another attempt in which it was the server.
			why = fmt.Sprintf("At %s requests per second the generator could not keep the pace by itself; the server may do more.", rateText(rate))
		case r.Objective.Met:
			s.holds(held{rate, r})
			s.Log("%s requests per second hold", rateText(rate))
			return true, nil
		case why == "":
			why = fmt.Sprintf("At %s requests per second the objective was not met. %s", rateText(rate), r.Objective.Reason)
		}
		s.Log("%s", why)
	}
	s.fails(rate, why)
	return false, nil
}

func (s *search) holds(h held) {
	if h.rate == s.low() {
		s.held[len(s.held)-1] = h
		return
	}
	s.held = append(s.held, h)
}

// fails also forgets what held at this rate: it did by luck.
func (s *search) fails(rate float64, why string) {
	s.high, s.why = rate, why
	for s.low() >= rate {
		s.held = s.held[:len(s.held)-1]
	}
}

// probe does one run.
func (s *search) probe(ctx context.Context, rate float64) (*result.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	if len(s.probes) >= MaxProbes {
		return nil, fmt.Errorf("search: %d runs contradict each other too much to find a rate", MaxProbes)
	}
	r, err := s.Probe(ctx, rate)
	if r != nil {
		s.probes = append(s.probes, r)
	}
	switch {
	case err != nil:
	case r == nil || r.Objective == nil:
		err = errors.New("the run was not held against an objective")
	case r.Interrupted:
		err = errors.New("the run was ended early")
	}
	if err != nil {
		return nil, fmt.Errorf("search: at %s requests per second: %w", rateText(rate), err)
	}
	return r, nil
}

// low is the highest rate that held, or 0.
func (s *search) low() float64 {
	if len(s.held) == 0 {
		return 0
	}
	return s.held[len(s.held)-1].rate
}

func (s *search) outcome() Outcome {
	out := Outcome{Rate: s.low(), Probes: s.probes, LimitedBy: s.why}
	if len(s.held) > 0 {
		out.Best = s.held[len(s.held)-1].result
	}
	if s.why == "" {
		out.LimitedBy = "The search was ended before a rate failed."
		if out.Rate == s.To {
			out.LimitedBy = fmt.Sprintf("The search was not to go above %s requests per second, which held.", rateText(s.To))
		}
	}
	return out
}

// rateText shows a rate with three or more digits, and without an exponent.
func rateText(rate float64) string {
	if rate >= 100 {
		return strconv.FormatFloat(math.Round(rate), 'f', -1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 2, 64)
}
