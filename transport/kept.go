package transport

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// keptHeader copies the header lines that history keeps: not those about the
// connection and the body's length, which differ with each answer and tell nothing,
// and without the values of those that carry secrets.
func keptHeader(h *fasthttp.ResponseHeader) []byte {
	dst := make([]byte, 0, 256)
	for name, value := range h.All() {
		switch string(name) {
		case "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Date":
			continue
		}
		if secret(name) {
			value = redacted
		}
		dst = append(append(dst, name...), ": "...)
		dst = append(append(dst, value...), "\r\n"...)
	}
	return dst
}

var redacted = []byte("[redacted]")

// secret reports whether a header's value must not be stored.
func secret(name []byte) bool {
	for i := range name {
		for _, word := range secretWords {
			if rest := name[i:]; len(rest) >= len(word) && rest[0]|0x20 == word[0] && bytes.EqualFold(rest[:len(word)], word) {
				return true
			}
		}
	}
	return false
}

var secretWords = [...][]byte{
	[]byte("cookie"), []byte("authorization"), []byte("token"), []byte("secret"), []byte("api-key"), []byte("apikey"), []byte("signature"),
}
