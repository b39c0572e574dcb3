// Package cron reads the schedules of functions and computes when they fire:
// five fields (minute, hour, day of month, month, day of week) with an optional
// `TZ=<zone> ` or `CRON_TZ=<zone> ` prefix (spec 01 §6.2, spec 03 §24).
//
// What does not live here: keeping a schedule going, which is the engine's work.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // schedules must mean the same on machines without a zone database

	"github.com/cespare/xxhash/v2"
	"github.com/robfig/cron/v3"
)

// MinJitter is the smallest delay that a schedule with jitter adds (spec 03 §24).
const MinJitter = time.Second

// searchYears bounds Next: 29 February comes back after eight years at the latest.
const searchYears = 9

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// starBit marks a day field that was written as a star.
const starBit = 1 << 63

// Schedule is a parsed schedule. It is immutable and safe for concurrent use.
type Schedule struct {
	minute, hour, dom, month, dow uint64
	loc                           *time.Location
}

// Parse reads a schedule. Without a zone it is in UTC. Seconds, years and
// descriptors such as @hourly are errors, as they are in the reference.
func Parse(spec string) (*Schedule, error) {
	loc := time.UTC
	for _, prefix := range []string{"TZ=", "CRON_TZ="} {
		rest, ok := strings.CutPrefix(spec, prefix)
		if !ok {
			continue
		}
		zone, fields, ok := strings.Cut(rest, " ")
		if !ok {
			return nil, errors.New("cron: a time zone must be followed by a space and five fields")
		}
		var err error
		if loc, err = time.LoadLocation(zone); err != nil {
			return nil, fmt.Errorf("cron: %w", err)
		}
		spec = strings.TrimSpace(fields)
		break
	}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		return nil, errors.New("cron: more than one time zone") // the library would panic on some of these
	}
	parsed, err := parser.Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	s, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("cron: %q is not a schedule of five fields", spec)
	}
	return &Schedule{minute: s.Minute, hour: s.Hour, dom: s.Dom, month: s.Month, dow: s.Dow, loc: loc}, nil
}

// Next returns the first time after the given one at which the schedule fires,
// in UTC. It is the zero time if there is none within nine years ("0 0 30 2 *").
//
// A schedule fires at each instant whose wall clock in the schedule's zone
// matches. So a wall time that a change to summer time skips does not fire on
// that day, and one that the change back repeats fires twice, as in the reference.
func (s *Schedule) Next(after time.Time) time.Time {
	t := after.In(s.loc).Add(time.Second - time.Duration(after.Nanosecond()))
	limit := t.AddDate(searchYears, 0, 0)
	for t.Before(limit) {
		ahead := s.distance(t)
		if ahead == 0 {
			return t.UTC()
		}
		next := t.Add(ahead)
		// The distance holds while the zone's offset does: look again where it changes.
		if _, change := t.ZoneBounds(); !change.IsZero() && next.After(change) {
			next = change
		}
		t = next
	}
	return time.Time{}
}

// distance is 0 if t's wall clock matches, else how far ahead of t the next wall
// time lies that can match, as if the zone's offset stayed the same.
func (s *Schedule) distance(t time.Time) time.Duration {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	sinceMidnight := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	const oneDay = 24 * time.Hour
	switch {
	case s.month&(1<<uint(month)) == 0:
		last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
		return time.Duration(last-day+1)*oneDay - sinceMidnight
	case !s.matchesDay(day, t.Weekday()):
		return oneDay - sinceMidnight
	case s.hour&(1<<uint(hour)) == 0:
		return time.Hour - sinceMidnight%time.Hour
	case s.minute&(1<<uint(minute)) == 0 || second != 0:
		return time.Minute - sinceMidnight%time.Minute
	}
	return 0
}

// matchesDay follows cron's rule: two restricted day fields are alternatives.
func (s *Schedule) matchesDay(day int, weekday time.Weekday) bool {
	dom := s.dom&(1<<uint(day)) != 0
	dow := s.dow&(1<<uint(weekday)) != 0
	if s.dom&starBit != 0 || s.dow&starBit != 0 {
		return dom && dow
	}
	return dom || dow
}

// Jitter spreads starts of one schedule: a delay in [1 s, limit), the same for the
// same parts. It is 0 if limit is 0 and 1 s if limit is no longer than that.
func Jitter(limit time.Duration, parts ...[]byte) time.Duration {
	if limit <= 0 {
		return 0
	}
	span := (limit - MinJitter).Milliseconds()
	if span <= 0 {
		return MinJitter
	}
	var h xxhash.Digest
	h.Reset()
	for _, p := range parts {
		_, _ = h.Write(p)
		_, _ = h.Write([]byte{0})
	}
	return MinJitter + time.Duration(h.Sum64()%uint64(span))*time.Millisecond
}
