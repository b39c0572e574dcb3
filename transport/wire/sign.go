package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"regexp"
	"strconv"
	"sync"

	"ingot/internal/jcs"
)

// keyPrefix is the part of a signing key that is no key material (spec 01 §3.1).
var keyPrefix = regexp.MustCompile(`^signkey-\w+-`)

// Signer computes the X-Inngest-Signature header (spec 01 §3.3). It is safe for
// concurrent use. A nil Signer, for servers without a key, signs nothing.
type Signer struct {
	macs sync.Pool
}

// NewSigner returns a signer for a key as configured, or nil for the empty key.
func NewSigner(key string) *Signer {
	if key == "" {
		return nil
	}
	secret := []byte(keyPrefix.ReplaceAllString(key, ""))
	return &Signer{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// Append adds the header's value for a body in canonical JSON, sent at the given
// unix time: t=<seconds>&s=<hex>.
func (s *Signer) Append(dst, body []byte, unix int64) []byte {
	mac := s.macs.Get().(hash.Hash)
	mac.Reset()
	dst = append(dst, "t="...)
	from := len(dst)
	dst = strconv.AppendInt(dst, unix, 10)
	mac.Write(body)
	mac.Write(dst[from:])
	dst = append(dst, "&s="...)
	from = len(dst)
	// The sum is written into the back half of its own text, which then grows over
	// it from the front without ever reaching a byte that is still to be read.
	dst = append(dst, zeros[:]...)
	sum := mac.Sum(dst[from+sha256.Size : from+sha256.Size])
	s.macs.Put(mac)
	hex.Encode(dst[from:], sum)
	return dst
}

// zeros is room for the hex text of a sum.
var zeros [2 * sha256.Size]byte

// AppendCanonical is Append for a body that may be in any form: SDKs verify the
// canonical form of what they receive, if it is JSON.
func (s *Signer) AppendCanonical(dst, body []byte, unix int64) []byte {
	if canonical, err := jcs.Append(nil, body); err == nil {
		body = canonical
	}
	return s.Append(dst, body, unix)
}
