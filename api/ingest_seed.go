package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unsafe"

	"github.com/oklog/ulid/v2"
)

// headerSeed lets a sender choose the ids of its events, so that sending again
// starts no second run (spec 02 §3.4).
const headerSeed = "X-Inngest-Event-Id-Seed"

const seedEntropy = 10

// seed is the sender's choice: the ids' time and their entropy before the index
// is added.
type seed struct{ base ulid.ULID }

// parseSeed reads `<unix ms>,<base64 of 10 bytes>`. Anything else counts as absent.
func parseSeed(header []byte) (s seed, ok bool) {
	if len(header) == 0 {
		return s, false
	}
	millis, entropy, found := bytes.Cut(header, []byte{','})
	if !found || len(millis) == 0 || len(entropy) != base64.StdEncoding.EncodedLen(seedEntropy) {
		return s, false
	}
	ms, err := strconv.ParseUint(unsafe.String(&millis[0], len(millis)), 10, 64)
	if err != nil || s.base.SetTime(ms) != nil {
		return s, false
	}
	var buf [12]byte
	n, err := base64.StdEncoding.Decode(buf[:], entropy)
	if err != nil || n != seedEntropy {
		return s, false
	}
	copy(s.base[6:], buf[:n])
	return s, true
}

// id returns the id of the event with the given index: its last four bytes are
// those of the seed plus the index, without carry.
func (s seed) id(index uint32) ulid.ULID {
	u := s.base
	last := u[len(u)-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)+index)
	return u
}
