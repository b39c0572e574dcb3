package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

func render(t *testing.T, c *compare.Comparison, rs ...*result.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, rs, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkPage holds what is true of every page: nothing comes from elsewhere, and
// all drawings are well-formed.
func checkPage(t *testing.T, page string) {
	t.Helper()
	if bad := regexp.MustCompile(`(?i:<script|<link|<img|@import|url\(|src=|href=)|NaN|Inf\b`).FindString(page); bad != "" {
		t.Errorf("the page has %q", bad)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %.300s", err, svg)
			}
		}
	}
}

func TestPageOfOneResult(t *testing.T) {
	t.Parallel()
	r := synthetic("ingot", 1, 1)
	r.Counts.Lost, r.Generator.Saturated = 2, true
	page := render(t, nil, r)
	checkPage(t, page)
	for _, want := range []string{
		"<title>ingot, steps</title>", "prefers-color-scheme:dark", `name="viewport"`, "accepted events were lost", "the generator was saturated",
		"Event to first call by percentile", "Throughput over time", "Backlog over time", "Latency over time", "Server CPU over time", "Server memory over time",
		">99.9 %<", "Some CPU 3.1 GHz, 4 cores", "loadgen run --target ingot=", "2026-11-23 10:00:01 UTC", `<td class="bad">2</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageOfAComparison(t *testing.T) {
	t.Parallel()
	c := comparison(t, 5, 0.45)
	page := render(t, c, c.Results...)
	checkPage(t, page)
	if n := strings.Count(page, `class="whisker"`); n != len(c.Rows) {
		t.Errorf("%d intervals for %d rows", n, len(c.Rows))
	}
	for _, want := range []string{"ingot against reference", `<span class="verdict better">2.`, "no difference (1.00 to 1.00)", "Benjamini-Hochberg", "Every run"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageOfManyRuns(t *testing.T) {
	t.Parallel()
	var rs []*result.Result
	for i := range 10 {
		r := synthetic("ingot", uint64(i), 1)
		r.Pacing.Rate = float64(1000 * (i/2 + 1)) // each rate twice: runs of their own
		rs = append(rs, r)
	}
	page := render(t, nil, rs...)
	checkPage(t, page)
	for _, want := range []string{"ingot: 10 runs", ">constant 1,000 events/s<", ">constant 1,000 events/s (2)<", "the first 8 of 10 series"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageOfAlmostNothing(t *testing.T) {
	t.Parallel()
	page := render(t, nil, &result.Result{Latency: map[string]*result.Histogram{result.Request: result.NewHistogram(), result.Step: nil}, Server: result.NoUsage(), Series: []result.Sample{{At: 0}, {At: 1}}})
	checkPage(t, page)
	if strings.Contains(page, `<svg class="chart"`) {
		t.Error("a chart shows nothing")
	}
}

func TestLongRunsAreShownInIntervals(t *testing.T) {
	t.Parallel()
	r := &result.Result{}
	for i := range 3600 {
		r.Series = append(r.Series, result.Sample{At: result.Seconds(i), Accepted: int64(i)})
	}
	g := &group{Results: []*result.Result{r}}
	points := g.over(series{"", rate(func(s result.Sample) int64 { return s.Accepted })}, mean)
	if len(points) != 300 || points[1].X != 12 || points[1].Y != 17.5 {
		t.Errorf("%d points, %v", len(points), points[1])
	}
}
