package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

// Text writes one result as a table for a terminal.
func Text(w io.Writer, r *result.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n", plainLine(summary(r)))
	for _, text := range compare.Problems(r) {
		fmt.Fprintf(t, "  ! %s\n", plainLine(text))
	}
	if o := r.Objective; o != nil {
		fmt.Fprintf(t, "\nobjective\t%s\n", plainLine(objective(o)))
	}
	x := r.Throughput
	fmt.Fprintf(t, "\nthroughput\t%s events/s\t%s runs/s\t%s steps/s\t%s requests/s\n", Number(x.Events), Number(x.Runs), Number(x.Steps), Number(x.Requests))
	textLatency(t, r)
	textCounts(t, r)
	textUsage(t, r)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing a result: %w", err)
	}
	return nil
}

// summary says in one line what was measured.
func summary(r *result.Result) string {
	parts := []string{r.Target.Name, r.Workload.Name + parameters(r), pacing(r.Pacing)}
	window := seconds(r.Window)
	if r.WarmUp > 0 {
		window += fmt.Sprintf(" after %s of warm-up", seconds(r.WarmUp))
	}
	return strings.Join(append(parts, window), " · ")
}

// parameters are the settings of the workload: " (size=200, steps=3)".
func parameters(r *result.Result) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(r.Workload.Parameters)) {
		list = append(list, k+"="+r.Workload.Parameters[k])
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// pacing says when events were sent.
func pacing(p result.Pacing) string {
	var s string
	if p.Kind == "closed" {
		s = fmt.Sprintf("closed loop, %s client", thousands(int64(p.Clients)))
		if p.Clients != 1 {
			s += "s"
		}
	} else {
		s = fmt.Sprintf("%s %s events/s", p.Kind, Number(p.Rate))
	}
	if p.Batch > 1 {
		s += fmt.Sprintf(", %d events per request", p.Batch)
	}
	return s
}

func objective(o *result.Objective) string {
	switch {
	case o.Met:
		return "met: " + o.Text
	case o.Reason != "":
		return "NOT met: " + o.Text + " (" + o.Reason + ")"
	}
	return "NOT met: " + o.Text
}

func textLatency(w io.Writer, r *result.Result) {
	fmt.Fprint(w, "\nlatency, ms\tp50\tp90\tp99\tp99.9\tmax\tcount\n")
	for _, l := range latencies {
		if h := r.Latency[l.name]; recorded(h) {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", strings.ToLower(l.title), milliseconds(h.Quantile(50)), milliseconds(h.Quantile(90)),
				milliseconds(h.Quantile(99)), milliseconds(h.Quantile(99.9)), milliseconds(h.Max()), thousands(h.TotalCount()))
		}
	}
}

func textCounts(w io.Writer, r *result.Result) {
	c := r.Counts
	fmt.Fprintf(w, "\nevents\t%s sent\t%s accepted\t%s refused\t%s unanswered\t%s unsent\n",
		thousands(c.Events), thousands(c.Accepted), thousands(c.Refused), thousands(c.Unknown), thousands(c.Unsent))
	fmt.Fprintf(w, "runs\t%s expected\t%s started\t%s completed\t%s lost\t%s doubled\t%s late\n",
		thousands(c.Expected), thousands(c.Started), thousands(c.Completed), thousands(c.Lost), thousands(c.DoubledRuns), thousands(c.Late))
	fmt.Fprintf(w, "steps\t%s completed\t%s doubled\t%s calls\t%s stray\n", thousands(c.Steps), thousands(c.DoubledSteps), thousands(c.Calls), thousands(c.Stray))
	textFlow(w, r.Flow)
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "errors\t%s\t%s\n", thousands(r.Errors[kind]), plainLine(kind))
	}
}

// textFlow shows what the flow control came to; highest numbers of what is not limited
// are left out.
func textFlow(w io.Writer, f *result.Flow) {
	if f == nil {
		return
	}
	fmt.Fprintf(w, "flow\t%s runs\t%s skipped\t%s cancelled\t%s broken", thousands(f.Runs), thousands(f.Skipped), thousands(f.Cancelled), thousands(f.Broken))
	for _, h := range []struct {
		n    int64
		what string
	}{{f.CallsAtOnce, "calls at once at most"}, {f.RunsAtOnce, "runs at once at most"}, {f.LargestBatch, "in the largest batch"}} {
		if h.n > 0 {
			fmt.Fprintf(w, "\t%s %s", thousands(h.n), h.what)
		}
	}
	if f.Ahead > 0 {
		fmt.Fprintf(w, "\t%s ms ahead at most", milliseconds(f.Ahead))
	}
	fmt.Fprintln(w)
}

func textUsage(w io.Writer, r *result.Result) {
	s := r.Server
	if s.CPUSeconds < 0 {
		fmt.Fprint(w, "\nserver\tits process cannot be seen\n")
	} else {
		fmt.Fprintf(w, "\nserver\t%s\t%s\t%s\n", known(s.Cores, "cores"), known(s.CPUPerRun, "ms CPU per run"), known(s.CPUPerEvent, "µs CPU per event"))
		fmt.Fprintf(w, "memory\t%s at most\t%s at the end\n", Bytes(float64(s.RSSMax)), Bytes(float64(s.RSSEnd)))
		fmt.Fprintf(w, "disk\t%s written\t%s per run\t%s\n", Bytes(float64(s.WrittenBytes)), Bytes(s.BytesPerRun), known(s.FsyncsPerRun, "fsyncs per run"))
	}
	if d := r.Redis; d != nil {
		fmt.Fprintf(w, "redis\t%s commands\t%s per step\t%s per run\t%s s CPU\n", thousands(d.Commands), Number(d.CommandsPerStep), Number(d.CommandsPerRun), Number(d.CPUSeconds))
	}
	g := r.Generator
	fmt.Fprintf(w, "generator\t%s cores\tlate by %s ms (p99)\t%s ms (max)\n", Number(g.Cores), milliseconds(g.LagP99), milliseconds(g.LagMax))
}

// ComparisonText writes the verdicts of a comparison as a table for a terminal.
func ComparisonText(w io.Writer, c *compare.Comparison) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s against %s, %d rounds\n", strings.Join(c.Targets[min(1, len(c.Targets)):], ", "), first(c.Targets), c.Rounds)
	for _, text := range c.Warnings {
		fmt.Fprintf(t, "  ! %s\n", plainLine(text))
	}
	fmt.Fprint(t, "\n")
	for i, name := range c.Targets {
		fmt.Fprintf(t, "\t%s", name)
		if i > 0 {
			fmt.Fprintf(t, "\tagainst %s", c.Targets[0])
		}
	}
	fmt.Fprint(t, "\n")
	for _, row := range c.Rows {
		fmt.Fprint(t, row.Title)
		for _, f := range row.Figures {
			fmt.Fprintf(t, "\t%s", figure(f, row.Unit))
			if f.Versus != nil {
				fmt.Fprintf(t, "\t%s", f.Versus.Text)
			}
		}
		fmt.Fprint(t, "\n")
	}
	fmt.Fprintf(t, "\n%s\n", c.Method)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing a comparison: %w", err)
	}
	return nil
}

// figure is the median of the rounds.
func figure(f compare.Figure, unit string) string {
	if len(f.Values) == 0 {
		return "–"
	}
	if unit == "/s" {
		return Number(f.Median) + unit
	}
	return strings.TrimSpace(Number(f.Median) + " " + unit)
}

// plainLine keeps texts that come from servers from moving the cursor of the
// terminal or breaking the table.
func plainLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
