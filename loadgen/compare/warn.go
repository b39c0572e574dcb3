package compare

import (
	"fmt"
	"strings"

	"ingot/loadgen/result"
)

// warn collects what makes the figures doubtful: problems of single rounds, once
// each with the rounds that had them.
func (c *Comparison) warn() {
	var order []string
	rounds := map[string][]string{}
	note := func(target string, round int, text string) {
		key := target + ": " + text
		if rounds[key] == nil {
			order = append(order, key)
		}
		rounds[key] = append(rounds[key], fmt.Sprint(round))
	}
	for _, f := range c.Failures {
		note(f.Target, f.Round, "no result: "+f.Error)
	}
	asAsked := true
	for _, r := range c.Results {
		for _, text := range Problems(r) {
			note(r.Target.Name, r.Round, text)
		}
		asAsked = asAsked && r.Pacing.Kind != "closed" && r.Pacing.Rate > 0
	}
	for _, key := range order {
		word := "round "
		if len(rounds[key]) > 1 {
			word = "rounds "
		}
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s (%s%s)", key, word, strings.Join(rounds[key], ", ")))
	}
	if asAsked && len(c.Results) > 0 {
		c.Warnings = append(c.Warnings, "The load came at a fixed rate: events and runs per second show that rate, not the limit of a target.")
	}
	if c.Interrupted {
		c.Warnings = append(c.Warnings, "The comparison was interrupted; it shows the rounds until then.")
	}
}

// Problems says what makes one result doubtful: work that was lost or done
// twice, errors, a generator that was the limit, and its own warnings.
func Problems(r *result.Result) []string {
	var list []string
	count := func(n int64, text string) {
		if n > 0 {
			list = append(list, text)
		}
	}
	count(r.Counts.Lost, "accepted events were lost")
	count(r.Counts.DoubledRuns, "events started a function more than once")
	count(r.Counts.DoubledSteps, "steps were executed twice")
	count(r.Counts.Refused, "events were refused")
	count(r.Counts.Unknown, "events got no answer")
	count(r.Counts.Unsent, "the generator could not send all events")
	if r.Flow != nil {
		count(r.Flow.Broken, "the flow control was broken")
	}
	if r.Generator.Saturated {
		list = append(list, "the generator was saturated, so the server may be faster than it looks")
	}
	if r.Interrupted {
		list = append(list, "the run was interrupted")
	}
	return append(list, r.Warnings...)
}
