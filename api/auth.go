package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"

	"github.com/valyala/fasthttp"
)

// keyPrefix is the part of a signing key that names its environment.
var keyPrefix = regexp.MustCompile(`^signkey-\w+-`)

// keyCheck authenticates who calls routes that are not for everybody: SDKs and
// scripts with a signing key as bearer token, plain or hashed (spec 01 §3.2, 02 §2.3),
// people also with it as the password of any user. The zero value lets everyone pass.
type keyCheck struct {
	// accepted are SHA-256 sums of what is accepted: of each key without its prefix, and of
	// the hex text of the key's own SHA-256, which is what SDKs send. Sums of equal
	// length make the comparison's time independent of the keys' length and content.
	accepted [][sha256.Size]byte
}

// newKeyCheck returns the check for some keys, empty ones not counted.
func newKeyCheck(signingKeys ...string) keyCheck {
	var c keyCheck
	for _, key := range signingKeys {
		if key == "" {
			continue
		}
		key = keyPrefix.ReplaceAllString(key, "")
		c.accepted = append(c.accepted, sha256.Sum256([]byte(key)))
		if b, err := hex.DecodeString(key); err == nil {
			sum := sha256.Sum256(b)
			c.accepted = append(c.accepted, sha256.Sum256([]byte(hex.EncodeToString(sum[:]))))
		}
	}
	return c
}

// ok reports whether the request may pass.
func (c *keyCheck) ok(ctx *fasthttp.RequestCtx) bool {
	if len(c.accepted) == 0 {
		return true
	}
	if token := bearer(ctx); token != "" {
		return c.matches(token)
	}
	password, given := basicPassword(ctx)
	return given && c.matches(password) && !crossSite(ctx)
}

// matches compares with every key, so that the time does not tell which one it was.
func (c *keyCheck) matches(token string) bool {
	token = keyPrefix.ReplaceAllString(token, "")
	sum := sha256.Sum256([]byte(token))
	found := 0
	for i := range c.accepted {
		found |= subtle.ConstantTimeCompare(sum[:], c.accepted[i][:])
	}
	return token != "" && found == 1
}

// credentials returns what the Authorization header has behind a scheme, or "".
func credentials(ctx *fasthttp.RequestCtx, scheme string) string {
	h := string(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if len(h) <= len(scheme)+1 || !strings.EqualFold(h[:len(scheme)], scheme) {
		return ""
	}
	return h[len(scheme)+1:]
}

// bearer returns the token of the Authorization header, or "".
func bearer(ctx *fasthttp.RequestCtx) string { return credentials(ctx, "bearer") }

// basicPassword returns the password of the Authorization header.
func basicPassword(ctx *fasthttp.RequestCtx) (password string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(credentials(ctx, "basic"))
	if err != nil {
		return "", false
	}
	_, password, ok = strings.Cut(string(text), ":")
	return password, ok
}

// crossSite reports whether a page of another site makes the request. Browsers add
// Basic credentials to those by themselves, so any page could do what its visitor may
// do here; a bearer token only its owner adds.
func crossSite(ctx *fasthttp.RequestCtx) bool {
	if site := string(ctx.Request.Header.Peek("Sec-Fetch-Site")); site != "" {
		// "none" is a person: an address typed, a bookmark.
		return site != "same-origin" && site != "none"
	}
	// Without TLS browsers tell less: where what changes something comes from.
	origin := ctx.Request.Header.Peek(headerOrigin)
	if len(origin) == 0 {
		return false
	}
	u, err := url.Parse(string(origin))
	return err != nil || u.Host == "" || !bytes.EqualFold([]byte(u.Host), ctx.Request.Header.Host())
}

// unauthorized refuses a request. A browser that shows a page then asks its user for
// the password; programs get the recorded answer.
func unauthorized(ctx *fasthttp.RequestCtx) {
	if bytes.Contains(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/html")) {
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, `Basic realm="Ingot: any user, password is the signing key", charset="UTF-8"`)
	}
	textErr(ctx, fasthttp.StatusUnauthorized, authFailedText)
}
