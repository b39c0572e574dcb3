package report

import (
	"encoding/csv"
	"io"
	"strconv"

	"ingot/loadgen/result"
)

// seriesHeader names the columns of series.csv: one row per second of each result.
var seriesHeader = []string{
	"target", "workload", "round", "at_s", "events", "accepted", "errors", "completed", "steps", "backlog",
	"request_p50_us", "request_p99_us", "first_call_p50_us", "first_call_p99_us", "step_p99_us", "server_cores", "server_rss_bytes",
}

func writeSeries(w io.Writer, rs []*result.Result) error {
	c := csv.NewWriter(w)
	if err := c.Write(seriesHeader); err != nil {
		return err
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	part := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, r := range rs {
		for _, s := range r.Series {
			err := c.Write([]string{
				r.Target.Name, r.Workload.Name, strconv.Itoa(r.Round), part(float64(s.At)),
				whole(s.Events), whole(s.Accepted), whole(s.Errors), whole(s.Completed), whole(s.Steps), whole(s.Backlog),
				whole(s.RequestP50), whole(s.RequestP99), whole(s.FirstCallP50), whole(s.FirstCallP99), whole(s.StepP99),
				part(s.ServerCores), whole(s.ServerRSS),
			})
			if err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}
