// Package report shows measured results: as text, as files that other tools read
// (JSON, HdrHistogram percentiles, CSV), and as one self-contained HTML page.
//
// What does not live here: measuring (package loadgen), the verdicts of a
// comparison (package compare), and capacity plans (package capacity).
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

// Names of files in a directory of results, beside NAME.json and
// NAME-LATENCY.hgrm for each result.
const (
	fileSeries         = "series.csv"
	filePage           = "index.html"
	fileComparison     = "comparison.json"
	fileComparisonText = "comparison.txt"
)

// Write saves results in dir, which it makes if it is missing: NAME.json (all
// that was measured), NAME-LATENCY.hgrm (percentiles in milliseconds, for the
// plotters of HdrHistogram), series.csv and index.html. Files of the same name
// are replaced, each at once.
func Write(dir string, rs []*result.Result) error {
	return write(dir, rs, nil)
}

// WriteComparison saves a comparison and its results like Write, and
// comparison.json and comparison.txt with the verdicts.
func WriteComparison(dir string, c *compare.Comparison) error {
	return write(dir, c.Results, c)
}

func write(dir string, rs []*result.Result, c *compare.Comparison) error {
	if len(rs) == 0 && c == nil {
		return errors.New("writing a report: there is no result")
	}
	out, err := newFolder(dir)
	if err != nil {
		return err
	}
	for i, name := range names(rs) {
		if err := writeResult(out, name, rs[i]); err != nil {
			return err
		}
	}
	if c != nil {
		b, err := c.Marshal()
		if err != nil {
			return err
		}
		if err := out.write(fileComparison, b); err != nil {
			return err
		}
		if err := out.render(fileComparisonText, func(w io.Writer) error { return ComparisonText(w, c) }); err != nil {
			return err
		}
	}
	if err := out.render(fileSeries, func(w io.Writer) error { return writeSeries(w, rs) }); err != nil {
		return err
	}
	return out.render(filePage, func(w io.Writer) error { return Page(w, rs, c) })
}

// WritePage writes only the page, to the file of that name.
func WritePage(path string, rs []*result.Result, c *compare.Comparison) error {
	var b bytes.Buffer
	if err := Page(&b, rs, c); err != nil {
		return err
	}
	return WriteFile(path, b.Bytes())
}

func writeResult(out folder, name string, r *result.Result) error {
	b, err := r.Marshal()
	if err != nil {
		return fmt.Errorf("writing the result of %s: %w", r.Target.Name, err)
	}
	if err := out.write(name+".json", b); err != nil {
		return err
	}
	for _, l := range latencies {
		h := r.Latency[l.name]
		if !recorded(h) {
			continue
		}
		err := out.render(name+"-"+l.name+".hgrm", func(w io.Writer) error {
			_, err := h.PercentilesPrint(w, hgrmTicks, 1000)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hgrmTicks is how many percentiles are printed per halving of the distance to
// 100 %; five is what other tools print.
const hgrmTicks = 5

// latencies are the histograms of a result, in the order in which they are shown.
var latencies = []struct{ name, title, meaning string }{
	{result.Request, "Request", "from when a request should have been sent to its answer"},
	{result.Service, "Service", "from when a request was sent to its answer"},
	{result.FirstCall, "Event to first call", "from when an event should have been sent to the first call of its function"},
	{result.Step, "Step to step", "from the app's answer to the call for the next step"},
	{result.Complete, "Event to completion", "from when an event should have been sent to the last answer of its run"},
	{result.Wake, "Lateness of a wake-up", "how late a sleep or a wait ended"},
}

// recorded says whether there is anything in h.
func recorded(h *result.Histogram) bool {
	return h != nil && h.Histogram != nil && h.TotalCount() > 0
}
