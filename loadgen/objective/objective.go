// Package objective holds the result of a run against what was asked of it: bounds
// of latency quantiles, and always no errors, no loss, no request unsent and no
// growing backlog.
//
// What does not live here: the search for the highest rate that holds an objective
// (package search).
package objective

import (
	"fmt"
	"regexp"
	"strings"

	"ingot/loadgen/result"
)

// Objective is what a run is held against. The zero value asks only for what every
// objective implies.
type Objective struct{ bounds []bound }

// operator is what needs no spaces around it.
var operator = regexp.MustCompile(`<=|<|=`)

// Parse reads clauses joined by commas:
//
//	first_call p99 < 50ms    a quantile of a latency; also <=
//	errors = 0               no request refused or unanswered, no error counted
//	lost = 0                 every accepted event's run completed
//	backlog stable           see growth
//
// The latencies are those of package result. Every objective implies the last three
// and that no request was left unsent; they may be written for clarity.
func Parse(text string) (Objective, error) {
	var o Objective
	for clause := range strings.SplitSeq(text, ",") {
		words := strings.Fields(operator.ReplaceAllString(clause, " $0 "))
		switch strings.Join(words, " ") {
		case "":
			return Objective{}, fmt.Errorf("objective %q: a clause is empty", text)
		case "errors = 0", "lost = 0", "backlog stable":
			continue
		}
		b, err := parseBound(words)
		if err != nil {
			return Objective{}, fmt.Errorf("objective %q: %w", text, err)
		}
		o.bounds = append(o.bounds, b)
	}
	return o, nil
}

// String returns all clauses, the implied ones too; Parse reads it.
func (o Objective) String() string {
	var clauses []string
	for _, b := range o.bounds {
		clauses = append(clauses, b.String())
	}
	return strings.Join(append(clauses, "errors = 0", "lost = 0", "backlog stable"), ", ")
}

// Check says whether a result meets the objective, and if not, every reason.
func (o Objective) Check(r *result.Result) *result.Objective {
	reasons := implied(r)
	for _, b := range o.bounds {
		if reason := b.check(r); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	out := &result.Objective{Text: o.String(), Met: len(reasons) == 0}
	if !out.Met {
		text := strings.Join(reasons, "; ")
		out.Reason = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return out
}

// implied returns why a result is bad under every objective.
func implied(r *result.Result) []string {
	var reasons []string
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	c := r.Counts
	if r.Interrupted {
		say("the run was ended early")
	}
	if c.Events == 0 {
		say("nothing was sent")
	}
	if c.Refused > 0 || c.Unknown > 0 {
		say("of %d events %d were refused and %d not answered", c.Events, c.Refused, c.Unknown)
	} else if n, kind := worst(r.Errors); n > 0 {
		say("there were errors, %d of them %q", n, kind)
	}
	if c.Lost > 0 {
		say("%d of %d accepted events were lost", c.Lost, c.Accepted)
	}
	if c.Unsent > 0 {
		say("%d requests were not sent in time", c.Unsent)
	}
	if g, growing := growth(r); growing {
		say("the backlog grew by %.0f runs per second", g)
	}
	return reasons
}

// worst returns the most frequent kind of error; of several the first by name.
func worst(errors map[string]int64) (count int64, kind string) {
	for k, n := range errors {
		if n > count || n == count && k < kind {
			count, kind = n, k
		}
	}
	return count, kind
}
