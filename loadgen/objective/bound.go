package objective

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot/loadgen/result"
)

// latencies are the histograms that a bound can be about.
var latencies = []string{result.Request, result.Service, result.FirstCall, result.Step, result.Complete, result.Wake}

// maxLimit is what histograms can tell.
const maxLimit = time.Duration(result.HistogramMax) * time.Microsecond

// bound is "LATENCY pQUANTILE < LIMIT".
type bound struct {
	latency   string
	quantile  float64 // in percent
	inclusive bool    // <= instead of <
	limit     time.Duration
}

func parseBound(words []string) (bound, error) {
	if len(words) != 4 || words[2] != "<" && words[2] != "<=" {
		return bound{}, fmt.Errorf(`%q is none of "LATENCY pQUANTILE < LIMIT", "errors = 0", "lost = 0", "backlog stable"`, strings.Join(words, " "))
	}
	b := bound{latency: words[0], inclusive: words[2] == "<="}
	if !slices.Contains(latencies, b.latency) {
		return bound{}, fmt.Errorf("latency: %q is none of %s", b.latency, strings.Join(latencies, ", "))
	}
	var err error
	if b.quantile, err = parseQuantile(words[1]); err != nil {
		return bound{}, err
	}
	if b.limit, err = time.ParseDuration(words[3]); err != nil {
		return bound{}, fmt.Errorf("limit: %w", err)
	}
	if b.limit < time.Microsecond || b.limit > maxLimit {
		return bound{}, fmt.Errorf("limit: %s is not from 1µs to %s", b.limit, maxLimit)
	}
	return b, nil
}

func parseQuantile(text string) (float64, error) {
	digits, ok := strings.CutPrefix(text, "p")
	q, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("quantile: %q is not of the form p99 or p99.9", text)
	}
	if !(q > 0 && q <= 100) { // so that NaN is refused too
		return 0, errors.New("quantile: it is not above 0 and at most 100")
	}
	return q, nil
}

// String returns the bound as it is parsed.
func (b bound) String() string {
	op := "<"
	if b.inclusive {
		op = "<="
	}
	return fmt.Sprintf("%s p%s %s %s", b.latency, strconv.FormatFloat(b.quantile, 'f', -1, 64), op, b.limit)
}

// check returns why the bound is not met, or nothing.
func (b bound) check(r *result.Result) string {
	h := r.Latency[b.latency]
	if h == nil || h.Histogram == nil || h.TotalCount() == 0 {
		return fmt.Sprintf("no %s latency was measured", b.latency)
	}
	got := time.Duration(h.Quantile(b.quantile)) * time.Microsecond
	if got < b.limit || b.inclusive && got == b.limit {
		return ""
	}
	return fmt.Sprintf("the result has %s p%s = %s", b.latency, strconv.FormatFloat(b.quantile, 'f', -1, 64), got)
}
