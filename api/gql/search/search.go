// Package search is the language in which runs are searched (spec 02 §9.6): lines of CEL
// that must all hold, over the events that triggered a run and over what it and its steps
// returned.
//
// The reference turns a search into SQL, and some of it never matches. Here the intended
// meaning is implemented, in memory; no text of a user comes near a database.
//
// What does not live here: which runs are looked at, and how many (package gql), and the
// evaluation of CEL (package expr).
package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ingot/engine/expr"
)

// Limits of a search.
const (
	// MaxText bounds it in bytes, MaxLines in lines.
	MaxText  = 8 << 10
	MaxLines = 20
	// maxTries bounds the combinations of events and outputs that one line is tried on for
	// one run.
	maxTries = 10_000
)

// Errors of Parse with the reference's texts. All errors of Parse are for the caller.
var (
	ErrMacros = errors.New("macros are currently not supported")
	ErrSyntax = errors.New("invalid syntax detected")
)

// Query is a search. It is immutable and safe for concurrent use.
type Query struct {
	lines []line
}

// line is one expression.
type line struct {
	cond *expr.Expr
	// events and outputs say what it reads.
	events, outputs bool
}

// Output is what a run, or a step of it, came to: one of the two. Raw JSON.
type Output struct{ Data, Error json.RawMessage }

// Run is what a search looks at.
type Run struct {
	// Events are the triggering events as functions see them, JSON.
	Events  [][]byte
	Outputs []Output
}

// Parse reads a search: one expression per line. Lines that read nothing of a run do not
// restrict it, as in the reference.
func Parse(text string) (*Query, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("the search has %d bytes; the limit is %d", len(text), MaxText)
	}
	sources := strings.Split(strings.TrimSpace(text), "\n")
	if len(sources) > MaxLines {
		return nil, fmt.Errorf("the search has %d lines; the limit is %d", len(sources), MaxLines)
	}
	q := &Query{}
	for _, source := range sources {
		l, err := parseLine(strings.TrimSpace(source))
		if err != nil {
			return nil, err
		}
		if l.events || l.outputs {
			q.lines = append(q.lines, l)
		}
	}
	return q, nil
}

// Events reports whether the search reads events.
func (q *Query) Events() bool {
	for _, l := range q.lines {
		if l.events {
			return true
		}
	}
	return false
}

// Outputs reports whether the search reads outputs or errors.
func (q *Query) Outputs() bool {
	for _, l := range q.lines {
		if l.outputs {
			return true
		}
	}
	return false
}

// Match reports whether each line holds for some event and some output of a run. What
// cannot be evaluated does not hold.
func (q *Query) Match(r *Run, now time.Time) bool {
	for i := range q.lines {
		if !q.lines[i].match(r, now) {
			return false
		}
	}
	return true
}

func (l *line) match(r *Run, now time.Time) bool {
	events, outputs := [][]byte{nil}, [][]byte{nil}
	if l.events {
		events = r.Events
	}
	if l.outputs {
		outputs = documents(r.Outputs)
	}
	tries := 0
	for _, e := range events {
		for _, o := range outputs {
			if tries++; tries > maxTries {
				return false
			}
			if ok, err := l.cond.BoolJSON(expr.JSON{Event: e, Async: o, Now: now}); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// documents are outputs as the variable that compiled lines read them from.
func documents(outputs []Output) [][]byte {
	out := make([][]byte, 0, len(outputs))
	for _, o := range outputs {
		switch {
		case o.Error != nil:
			out = append(out, append(append([]byte(`{"error":`), o.Error...), '}'))
		case o.Data != nil:
			out = append(out, append(append([]byte(`{"output":`), o.Data...), '}'))
		}
	}
	return out
}

// OfMemo is the output in a step's memo: {"data":…} or {"error":…}.
func OfMemo(memo []byte) (o Output) {
	var m struct {
		Data  json.RawMessage `json:"data"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(memo, &m) == nil {
		o.Data, o.Error = m.Data, m.Error
	}
	return o
}
