package pacing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The kinds of schedules, as they begin a spec.
const (
	constant = "constant"
	poisson  = "poisson"
	ramp     = "ramp"
	steps    = "steps"
	spike    = "spike"
)

// parseProfile reads how the rate goes over time.
func parseProfile(spec string, rate float64, duration time.Duration) (*profile, error) {
	kind, rest, hasRest := strings.Cut(spec, ":")
	switch {
	case !hasRest && (kind == constant || kind == poisson):
		if err := checkRate("rate", rate); err != nil {
			return nil, err
		}
		if rate == 0 {
			return nil, fmt.Errorf("rate: %s pacing needs one above 0", kind)
		}
		return newProfile(segment{duration, rate, rate}), nil
	case hasRest && kind == ramp:
		from, to, err := parsePair(ramp, rest)
		if err != nil {
			return nil, err
		}
		return newProfile(segment{duration, from, to}), nil
	case hasRest && kind == steps:
		return parseSteps(rest, duration)
	case hasRest && kind == spike:
		return parseSpike(rest, duration)
	}
	return nil, fmt.Errorf("pacing %q: it is none of constant, poisson, ramp:FROM-TO, steps:R1,R2,…, spike:BASE-PEAK/EVERY/LENGTH", spec)
}

func parseSteps(text string, duration time.Duration) (*profile, error) {
	rates := strings.Split(text, ",")
	if len(rates) > MaxParts {
		return nil, fmt.Errorf("pacing steps: %d rates; the limit is %d", len(rates), MaxParts)
	}
	var segments []segment
	n, begin := time.Duration(len(rates)), time.Duration(0)
	for i, r := range rates {
		rate, err := parseRate(fmt.Sprintf("pacing steps: rate %d", i+1), r)
		if err != nil {
			return nil, err
		}
		end := duration / n * time.Duration(i+1) // cannot overflow; the last gets the remainder
		if i == len(rates)-1 {
			end = duration
		}
		segments = append(segments, segment{end - begin, rate, rate})
		begin = end
	}
	return newProfile(segments...), nil
}

func parseSpike(text string, duration time.Duration) (*profile, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return nil, fmt.Errorf("pacing spike: %q is not BASE-PEAK/EVERY/LENGTH", text)
	}
	base, peak, err := parsePair(spike, parts[0])
	if err != nil {
		return nil, err
	}
	every, err := time.ParseDuration(parts[1])
	if err != nil {
		return nil, fmt.Errorf("pacing spike: EVERY: %w", err)
	}
	length, err := time.ParseDuration(parts[2])
	if err != nil {
		return nil, fmt.Errorf("pacing spike: LENGTH: %w", err)
	}
	switch {
	case every <= 0:
		return nil, fmt.Errorf("pacing spike: EVERY: %s is not above 0", every)
	case duration/every >= MaxParts:
		return nil, fmt.Errorf("pacing spike: EVERY: %s gives %d spikes; the limit is %d", every, duration/every, MaxParts)
	case length <= 0 || length >= every:
		return nil, fmt.Errorf("pacing spike: LENGTH: %s is not above 0 and below EVERY, %s", length, every)
	}
	before := (every - length) / 2
	var segments []segment
	for left := duration; left > 0; left -= every {
		end := min(left, every) // the last may be cut off
		a, b := min(end, before), min(end, before+length)
		segments = append(segments, segment{a, base, base}, segment{b - a, peak, peak}, segment{end - b, base, base})
	}
	return newProfile(segments...), nil
}

// parsePair reads "A-B", two rates.
func parsePair(kind, text string) (a, b float64, err error) {
	first, second, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, fmt.Errorf("pacing %s: %q is not a pair of rates such as 100-5000", kind, text)
	}
	if a, err = parseRate("pacing "+kind+": first rate", first); err != nil {
		return 0, 0, err
	}
	b, err = parseRate("pacing "+kind+": second rate", second)
	return a, b, err
}

func parseRate(field, text string) (float64, error) {
	rate, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number", field, text)
	}
	return rate, checkRate(field, rate)
}
