// Package jwt signs and verifies the JSON Web Tokens that this server hands out
// and reads back: HS256, one secret, compact form. It is not a general JWT
// library: no other algorithm exists here, so none can be smuggled in, and the
// meaning of the claims belongs to who issues them.
package jwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxLen is the longest token in bytes that Verify looks at.
const MaxLen = 64 << 10

// header is the only header that is ever written, and the only one that the
// common path of Verify meets.
const header = `{"alg":"HS256","typ":"JWT"}`

// encodedHeader is header in the token's base64.
var encodedHeader = base64.RawURLEncoding.EncodeToString([]byte(header))

// strict refuses trailing bits and line breaks, so that one token has one spelling.
var strict = base64.RawURLEncoding.Strict()

// Errors of Verify and Claims.Valid.
var (
	// ErrMalformed says that the text is no token in compact form.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm says that the token is not signed with HS256.
	ErrAlgorithm = errors.New("token algorithm is not HS256")
	// ErrSignature says that the signature does not belong to the content.
	ErrSignature = errors.New("token signature is invalid")
	// ErrExpired says that the token's time is over, or that it states none.
	ErrExpired = errors.New("token has expired")
	// ErrIssuer says that the token was issued for something else.
	ErrIssuer = errors.New("token issuer is wrong")
)

// Claims are the registered claims that this server uses. Embed it first, so
// that its fields come first in the token, as in the reference's.
type Claims struct {
	Issuer  string `json:"iss,omitempty"`
	Subject string `json:"sub,omitempty"`
	// ExpiresAt and IssuedAt are unix seconds.
	ExpiresAt int64  `json:"exp,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
	ID        string `json:"jti,omitempty"`
}

// Valid reports whether the token is from issuer and still in time. A token
// without an end is refused: this server issues none.
func (c *Claims) Valid(issuer string, now time.Time) error {
	if c.Issuer != issuer {
		return fmt.Errorf("%w: %q", ErrIssuer, c.Issuer)
	}
	if now.Unix() >= c.ExpiresAt {
		return ErrExpired
	}
	return nil
}

// Sign returns the compact token with claims, an encodable struct.
func Sign(secret []byte, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jwt: encode claims: %w", err)
	}
	n := len(encodedHeader) + 1 + base64.RawURLEncoding.EncodedLen(len(payload))
	buf := make([]byte, 0, n+1+base64.RawURLEncoding.EncodedLen(sha256.Size))
	buf = append(buf, encodedHeader...)
	buf = append(buf, '.')
	buf = base64.RawURLEncoding.AppendEncode(buf, payload)
	sum := signature(secret, string(buf))
	buf = append(buf, '.')
	return string(base64.RawURLEncoding.AppendEncode(buf, sum)), nil
}

// Verify checks token's form, algorithm and signature, and decodes its payload
// into claims. It does not judge the claims: see [Claims.Valid].
func Verify(secret []byte, token string, claims any) error {
	if len(token) > MaxLen {
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxLen)
	}
	head, rest, ok := strings.Cut(token, ".")
	if !ok {
		return fmt.Errorf("%w: no payload", ErrMalformed)
	}
	body, sig, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(sig, ".") {
		return fmt.Errorf("%w: want three parts", ErrMalformed)
	}
	if err := checkHeader(head); err != nil {
		return err
	}
	sum, err := strict.DecodeString(sig)
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if !hmac.Equal(sum, signature(secret, token[:len(head)+1+len(body)])) {
		return ErrSignature
	}
	payload, err := strict.DecodeString(body)
	if err != nil {
		return fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if err := json.Unmarshal(payload, claims); err != nil {
		return fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	return nil
}

// checkHeader accepts every header that names HS256 and asks for nothing beyond
// it: `crit` marks extensions that a verifier must understand (RFC 7515 §4.1.11).
func checkHeader(encoded string) error {
	if encoded == encodedHeader {
		return nil
	}
	raw, err := strict.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	var h struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if h.Alg != "HS256" {
		return fmt.Errorf("%w: %q", ErrAlgorithm, h.Alg)
	}
	if h.Crit != nil {
		return fmt.Errorf("%w: critical extensions are not supported", ErrMalformed)
	}
	return nil
}

func signature(secret []byte, signed string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(signed))
	return m.Sum(nil)
}
