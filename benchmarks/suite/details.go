package main

import (
	"fmt"
	"io"

	"ingot/loadgen/result"
	"ingot/loadgen/stats"
)

// detail is one measurement in absolute figures, medians of the rounds.
type detail struct {
	Name string `json:"name"`
	// Figures are those of columns, in their order; a negative one was not measured.
	Figures []float64 `json:"figures"`
}

// columns are what is shown of every measurement.
var columns = []struct {
	title string
	value quantity
}{
	{"requests/s", func(r *result.Result) (float64, error) { return r.Throughput.Requests, nil }},
	{"events/s", func(r *result.Result) (float64, error) { return r.Throughput.Events, nil }},
	{"runs/s", func(r *result.Result) (float64, error) { return r.Throughput.Runs, nil }},
	{"request p50, ms", quantile(result.Request, 50)},
	{"p99", quantile(result.Request, 99)},
	{"first call p50", quantile(result.FirstCall, 50)},
	{"p99", quantile(result.FirstCall, 99)},
	{"step p50", quantile(result.Step, 50)},
	{"p99", quantile(result.Step, 99)},
	{"server cores", func(r *result.Result) (float64, error) { return r.Server.Cores, nil }},
	{"CPU per run, ms", cpuPerRun},
	{"memory, MB", memory},
	{"CPU per event, µs", cpuPerEvent},
	{"fsyncs per run", func(r *result.Result) (float64, error) { return r.Server.FsyncsPerRun, nil }},
}

// detailOf evaluates the columns; false if there is no result.
func detailOf(m measurement, seen *results) (detail, bool) {
	d := detail{Name: m.name}
	any := false
	for _, c := range columns {
		var values []float64
		for round := range seen.rounds {
			r, err := seen.of(round, m.name)
			if err != nil {
				continue
			}
			any = true
			if v, err := c.value(r); err == nil && v >= 0 {
				values = append(values, v)
			}
		}
		figure := -1.0
		if len(values) > 0 {
			figure = stats.Median(values)
		}
		d.Figures = append(d.Figures, figure)
	}
	return d, any
}

// writeDetails writes a table of all measurements.
func writeDetails(w io.Writer, details []detail) {
	fmt.Fprint(w, "\n## Measurements\n\n| |")
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.title)
	}
	fmt.Fprint(w, "\n|---|")
	for range columns {
		fmt.Fprint(w, "---|")
	}
	fmt.Fprintln(w)
	for _, d := range details {
		fmt.Fprintf(w, "| %s |", d.Name)
		for _, v := range d.Figures {
			if v < 0 {
				fmt.Fprint(w, " – |")
				continue
			}
			fmt.Fprintf(w, " %s |", number(v))
		}
		fmt.Fprintln(w)
	}
}
