// Package ids makes and reads the identifiers that cross package borders:
// ULIDs (events, runs, requests), UUIDv5 (apps, functions) and the base-36
// hashes of the reference (spec 03 §2.2). It holds no state but the random
// source of [New].
package ids

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	fast "math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/oklog/ulid/v2"
)

// The self-hosted server has one account and one environment (spec 01 §1.2).
const (
	AccountID = "00000000-0000-4000-a000-000000000000"
	EnvID     = "00000000-0000-4000-b000-000000000000"
)

// UUID is a 16-byte RFC 4122 identifier. The zero value is the nil UUID.
type UUID [16]byte

// oidNamespace is the RFC 4122 OID namespace, the root of all app and function ids.
var oidNamespace = UUID{0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// UUIDv5 derives a name-based UUID in the OID namespace.
func UUIDv5(name []byte) UUID {
	h := sha1.New()
	h.Write(oidNamespace[:])
	h.Write(name)
	var u UUID
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

// NewUUID returns a random (version 4) UUID.
func NewUUID() UUID {
	var u UUID
	_, _ = rand.Read(u[:]) // crypto/rand.Read never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// String returns the canonical 36-character form.
func (u UUID) String() string { return string(u.Append(nil)) }

// Append adds the canonical 36-character form to dst.
func (u UUID) Append(dst []byte) []byte {
	for i, b := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// IsZero reports whether u is the nil UUID.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads the canonical 36-character form.
func ParseUUID(s string) (u UUID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, false
	}
	var hx [32]byte
	n := 0
	for i := 0; i < 36; i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		hx[n] = s[i]
		n++
	}
	if _, err := hex.Decode(u[:], hx[:]); err != nil {
		return UUID{}, false
	}
	return u, true
}

const hexDigits = "0123456789abcdef"

// Hash36 is the reference's short hash: xxHash64 rendered in base 36 (spec 03 §2.2).
func Hash36(b []byte) string { return strconv.FormatUint(xxhash.Sum64(b), 36) }

// generator makes random ULIDs that rise within one process, so that events
// accepted one after another also sort one after another.
type generator struct {
	mu   sync.Mutex
	last ulid.ULID
}

var gen generator

// New returns a ULID with the given time (unix ms) that is greater than every
// one that New returned before for the same millisecond. It does not allocate.
func New(ms int64) ulid.ULID {
	gen.mu.Lock()
	defer gen.mu.Unlock()
	if int64(gen.last.Time()) == ms {
		lo := binary.BigEndian.Uint64(gen.last[8:])
		// A random step keeps ids unguessable while they rise. The runtime's generator
		// is ChaCha8, seeded by the system: as good for this as crypto/rand, and eight
		// times as fast.
		if next := lo + 1 + uint64(fast.Uint32()); next > lo {
			binary.BigEndian.PutUint64(gen.last[8:], next)
			return gen.last
		}
	}
	var u ulid.ULID
	_ = u.SetTime(uint64(ms))
	binary.BigEndian.PutUint16(u[6:], uint16(fast.Uint32()))
	binary.BigEndian.PutUint64(u[8:], fast.Uint64())
	gen.last = u
	return u
}

// Now is New at the wall clock's time.
func Now() ulid.ULID { return New(time.Now().UnixMilli()) }

// Derive returns the ULID with time ms whose entropy is a hash of parts: the
// same input always gives the same id. Replaying a log with it cannot make a
// second run or a second message.
func Derive(ms int64, parts ...[]byte) ulid.ULID {
	var u ulid.ULID
	_ = u.SetTime(uint64(ms))
	var a, b xxhash.Digest
	a.ResetWithSeed(0x9e3779b97f4a7c15)
	b.ResetWithSeed(0xc2b2ae3d27d4eb4f)
	var n [4]byte
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		_, _ = a.Write(n[:])
		_, _ = a.Write(p)
		_, _ = b.Write(n[:])
		_, _ = b.Write(p)
	}
	binary.BigEndian.PutUint64(u[8:], a.Sum64())
	binary.BigEndian.PutUint16(u[6:], uint16(b.Sum64()))
	return u
}

// CallGroup is what the attempts of a run's job (queue item) have in common in its
// history: the group id of its items.
func CallGroup(run ulid.ULID, job uint32) UUID {
	var b [20]byte
	copy(b[:], run[:])
	binary.BigEndian.PutUint32(b[16:], job)
	return UUIDv5(b[:])
}

// StepGroup is the group id of what a step began beside others, and so has a group of its own.
func StepGroup(run ulid.ULID, step string) UUID {
	return UUIDv5(append(run[:], "own:"+step...))
}
