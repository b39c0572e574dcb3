package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ingot/benchmarks/record"
	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// Verdicts of a line.
const (
	met         = "met"
	missed      = "missed"
	unsure      = "unsure" // met in some rounds only
	notMeasured = "not measured"
)

// summary is the table of figures against budgets.
type summary struct {
	record.Header
	Rounds int    `json:"rounds"`
	Lines  []line `json:"lines"`
	// Details are the absolute figures of the measurements.
	Details []detail `json:"details"`
	// Commands are those that measured, by the name that lines refer to.
	Commands []namedCommand `json:"commands"`
	// Remarks are reasons to distrust figures.
	Remarks []string `json:"remarks,omitempty"`
}

// line is one figure.
type line struct {
	Group  string    `json:"group"`
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`
	Budget string    `json:"budget"`
	Values []float64 `json:"values"` // of the rounds
	// Median of the rounds is what the budget is compared with.
	Median  float64  `json:"median"`
	Verdict string   `json:"verdict"`
	Reason  string   `json:"reason,omitempty"` // why it was not measured
	From    []string `json:"from"`
}

type namedCommand struct {
	Name  string   `json:"name"`
	Lines []string `json:"lines"`
}

// summarise compares what was seen with the budgets of the groups.
func summarise(h record.Header, rounds int, chosen []string, p params, seen *results) *summary {
	s := &summary{Header: h, Rounds: rounds}
	for _, f := range figuresOf(chosen, p) {
		s.Lines = append(s.Lines, f.line(seen))
	}
	for _, m := range planned(chosen) {
		if lines := seen.commands(m.name); len(lines) > 0 {
			s.Commands = append(s.Commands, namedCommand{m.name, lines})
		}
		if m.once {
			continue // a search goes beyond what holds on purpose
		}
		if d, ok := detailOf(m, seen); ok {
			s.Details = append(s.Details, d)
		}
		s.remark(m, seen)
	}
	return s
}

func (s *summary) remark(m measurement, seen *results) {
	for i, round := range seen.rounds {
		for _, r := range round[m.name].results {
			for _, text := range remarks(r) {
				s.Remarks = append(s.Remarks, fmt.Sprintf("%s, round %d: %s", m.name, i+1, text))
			}
		}
	}
}

// line evaluates a figure in every round.
func (f figure) line(seen *results) line {
	l := line{Group: f.group, Title: f.title, Unit: f.unit, Budget: f.budget(), From: f.from, Values: []float64{}}
	good := 0
	for round := range seen.rounds {
		v, err := f.in(round, seen)
		if err != nil {
			l.Reason = err.Error()
			continue
		}
		l.Values = append(l.Values, v)
		if f.holds(v) {
			good++
		}
	}
	if len(l.Values) == 0 {
		l.Verdict = notMeasured
		if l.Reason == "" {
			l.Reason = "the suite was ended before"
		}
		return l
	}
	l.Reason, l.Median = "", stats.Median(l.Values)
	switch {
	case good == len(l.Values):
		l.Verdict = met
	case good == 0:
		l.Verdict = missed
	default:
		l.Verdict = unsure
	}
	return l
}

// in is the figure's value in one round.
func (f figure) in(round int, seen *results) (float64, error) {
	rs := make([]*result.Result, len(f.from))
	for i, name := range f.from {
		r, err := seen.of(round, name)
		if err != nil {
			return 0, err
		}
		rs[i] = r
	}
	return f.value(rs)
}

func (f figure) holds(v float64) bool {
	if f.atLeast {
		return v >= f.limit
	}
	return v < f.limit
}

func (f figure) budget() string {
	if f.atLeast {
		return "≥ " + number(f.limit) + " " + f.unit
	}
	return "< " + number(f.limit) + " " + f.unit
}

// JSON is the summary for programs.
func (s *summary) JSON() ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(s)
	return []byte(b.String()), err
}

// Markdown is the summary for readers.
func (s *summary) Markdown() string {
	var b strings.Builder
	m := s.Machine
	fmt.Fprintf(&b, "# Figures against budgets, %s\n\n", s.Date.Format("2006-01-02"))
	fmt.Fprintf(&b, "`%s` at commit %s. The median of %s counts. %s, %d cores, %d MiB, %s, %s; server, load generator and app on the same machine.\n\n",
		s.Command, s.Commit, plural(s.Rounds, "round"), m.CPU, m.Cores, m.Memory>>20, m.OS, m.Go)
	b.WriteString("| figure | budget | measured | rounds | verdict | from |\n|---|---|---|---|---|---|\n")
	for _, l := range s.Lines {
		measured, span := "–", "–"
		if len(l.Values) > 0 {
			measured = number(l.Median) + " " + l.Unit
			span = number(slices.Min(l.Values)) + " … " + number(slices.Max(l.Values))
		}
		verdict := l.Verdict
		if l.Reason != "" {
			verdict += ": " + cell(l.Reason)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(l.Title), l.Budget, measured, span, verdict, strings.Join(l.From, " / "))
	}
	b.WriteString("\nunsure: met in some rounds only.\n")
	writeDetails(&b, s.Details)
	b.WriteString("\n## Commands\n\nEach starts a server of its own in a fresh directory.\n")
	for _, c := range s.Commands {
		fmt.Fprintf(&b, "\n%s:\n\n", c.Name)
		for _, text := range c.Lines {
			fmt.Fprintf(&b, "    %s\n", text)
		}
	}
	if len(s.Remarks) > 0 {
		b.WriteString("\n## Reasons to distrust a figure\n\n")
		for _, text := range s.Remarks {
			fmt.Fprintf(&b, "- %s\n", text)
		}
	}
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cell makes text safe for a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

// number shows three digits, and whole numbers as they are.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.3g", v)
	default:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
	}
}
