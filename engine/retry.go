package engine

import (
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// backoff is the delay after the failure of attempt n, without jitter (spec 01 §11.4).
var backoff = [...]time.Duration{
	15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour,
}

const maxRetryJitter = 30 * time.Second

// retryDelay is the time from a failure of attempt (from 0) to the next one.
// The jitter is a hash of the job and attempt: evenly spread over jobs, and the
// same in a replay. A fixed interval, if set, replaces both.
func retryDelay(fixed time.Duration, attempt int, run ulid.ULID, job uint32) time.Duration {
	if fixed > 0 {
		return fixed
	}
	var seed [24]byte
	b := append(seed[:0], run[:]...)
	b = appendUint32(b, job)
	b = appendUint32(b, uint32(attempt))
	jitter := time.Duration(xxhash.Sum64(b)%uint64(maxRetryJitter/time.Millisecond)) * time.Millisecond
	return backoff[min(attempt, len(backoff)-1)] + jitter
}
