package wire

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"ingot/internal/timefmt"
)

// Bounds of Retry-After (spec 01 §8.6).
const (
	minRetryAfter = time.Second
	maxRetryAfter = 24 * time.Hour
)

// noRetry is the response's determination (spec 01 §8.6).
func (r *Response) noRetry() bool {
	if len(r.NoRetry) > 0 {
		return string(r.NoRetry) == "true"
	}
	return r.Status >= 400 && r.Status <= 499 && impliesNoRetry(string(r.SDK))
}

// impliesNoRetry knows the early TypeScript SDKs that had no such header and
// meant a 4xx by it: v1 before 1.10.1, v2 before 2.4.1.
func impliesNoRetry(sdk string) bool {
	version, ok := strings.CutPrefix(sdk, "inngest-js:v")
	if !ok {
		return false
	}
	version, _, _ = strings.Cut(version, "-")
	var v [3]int
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		v[i] = n
	}
	older := func(minor, patch int) bool { return v[1] < minor || v[1] == minor && v[2] < patch }
	return v[0] == 1 && older(10, 1) || v[0] == 2 && older(4, 1)
}

// retryAt is the unix ms that Retry-After asks for; 0 if it asks for nothing
// that can be understood.
func (r *Response) retryAt(now time.Time) int64 {
	v := string(bytes.TrimSpace(r.RetryAfter))
	if v == "" {
		return 0
	}
	at, ok := parseRetryAfter(v, now)
	if !ok {
		return 0
	}
	if lo := now.Add(minRetryAfter); at.Before(lo) {
		at = lo.Truncate(time.Second)
	} else if hi := now.Add(maxRetryAfter); at.After(hi) {
		at = hi.Truncate(time.Second)
	}
	return at.UnixMilli()
}

func parseRetryAfter(v string, now time.Time) (time.Time, bool) {
	if len(v) <= 7 {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			return now.Add(time.Duration(n) * time.Second), true
		}
	}
	at, err := timefmt.ParseTime(v)
	return at, err == nil
}
