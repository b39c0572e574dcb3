package golden

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"

	"ingot/internal/jcs"
)

// signingKey stands in recordings of start mode for the server's signing key, which was
// recordedKey: the SDKs' requests have its hash.
const (
	signingKey  = "<HEX32:1>"
	recordedKey = "0123456789abcdef0123456789abcdef"
)

// checkSignature checks that the app could verify a call that carries a signature: the HMAC
// of the body in canonical form and the time (spec 01 §3.3).
func checkSignature(header Header, body []byte) string {
	text := header.Get("X-Inngest-Signature")
	if text == "" {
		return "" // the comparison of headers tells if there should be one
	}
	fields, err := url.ParseQuery(text)
	if err != nil {
		return "header X-Inngest-Signature: " + err.Error()
	}
	if canonical, err := jcs.Append(nil, body); err == nil {
		body = canonical
	}
	mac := hmac.New(sha256.New, []byte(recordedKey))
	_, _ = mac.Write(body)
	_, _ = mac.Write([]byte(fields.Get("t")))
	if sum := hex.EncodeToString(mac.Sum(nil)); sum != fields.Get("s") {
		return "header X-Inngest-Signature: " + text + " is not that of the body"
	}
	return ""
}
