package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"sync"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

var generators = sync.Pool{New: func() any { return rand.NewChaCha8([32]byte{}) }}

// seededSpan is the span id of a seed (spec 02 §10.2): bytes 16 to 24 of what ChaCha8
// makes of its hash. Two runs with the same step have it in common.
func seededSpan(seed string) string {
	c := generators.Get().(*rand.ChaCha8)
	defer generators.Put(c)
	c.Seed(sha256.Sum256([]byte(seed)))
	c.Uint64()
	c.Uint64()
	var s ids.SpanID
	binary.LittleEndian.PutUint64(s[:], c.Uint64())
	return hex.EncodeToString(s[:])
}

// derivedSpan is the id of a span that has a random one in the reference.
func derivedSpan(run ulid.ULID, part string) string {
	s := ids.SpanOf(run, part)
	return hex.EncodeToString(s[:])
}

// groupOf is the id of what the attempts of a job have in common.
func groupOf(run ulid.ULID, job uint32) string { return ids.CallGroup(run, job).String() }

// groupOfStep is groupOf for a job whose number is not known: the one that a step leads to.
func groupOfStep(run ulid.ULID, step string) string {
	return ids.UUIDv5(append(run[:], step...)).String()
}

func callKey(job uint32, attempt int) string {
	return strconv.FormatUint(uint64(job), 10) + ":" + strconv.Itoa(attempt)
}

// runTrace is the run's own trace and its span.
func runTrace(run ulid.ULID) (trace, span string) {
	t, s := ids.RunTrace(run)
	return hex.EncodeToString(t[:]), hex.EncodeToString(s[:])
}
