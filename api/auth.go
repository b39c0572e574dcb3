package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/valyala/fasthttp"
)

// keyPrefix is the part of a signing key that names its environment.
var keyPrefix = regexp.MustCompile(`^signkey-\w+-`)

// keyCheck authenticates SDKs by the signing key (spec 01 §3.2, 02 §2.3). The
// zero value lets everyone pass.
type keyCheck struct {
	enabled bool
	// raw is the SHA-256 of the key without its prefix, hashed that of the hex text
	// of the key's own SHA-256, which is what SDKs send. Digests of equal length
	// make the comparison's time independent of the key's length and content.
	raw, hashed [sha256.Size]byte
}

func newKeyCheck(signingKey string) keyCheck {
	if signingKey == "" {
		return keyCheck{}
	}
	key := keyPrefix.ReplaceAllString(signingKey, "")
	c := keyCheck{enabled: true, raw: sha256.Sum256([]byte(key))}
	c.hashed = c.raw
	if b, err := hex.DecodeString(key); err == nil {
		sum := sha256.Sum256(b)
		c.hashed = sha256.Sum256([]byte(hex.EncodeToString(sum[:])))
	}
	return c
}

// ok reports whether the request carries the key, raw or hashed.
func (c *keyCheck) ok(ctx *fasthttp.RequestCtx) bool {
	if !c.enabled {
		return true
	}
	token := keyPrefix.ReplaceAllString(bearer(ctx), "")
	sum := sha256.Sum256([]byte(token))
	raw := subtle.ConstantTimeCompare(sum[:], c.raw[:])
	hashed := subtle.ConstantTimeCompare(sum[:], c.hashed[:])
	return token != "" && raw|hashed == 1
}

// bearer returns the token of the Authorization header, or "".
func bearer(ctx *fasthttp.RequestCtx) string {
	h := string(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if len(h) <= len("bearer ") || !strings.EqualFold(h[:len("bearer")], "bearer") {
		return ""
	}
	return h[len("bearer "):]
}

func unauthorized(ctx *fasthttp.RequestCtx) {
	textErr(ctx, fasthttp.StatusUnauthorized, authFailedText)
}
