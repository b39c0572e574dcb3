package transport

import "strings"

// validToken reports whether s can be a method or a header's name (RFC 9110 §5.6.2).
func validToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// validValue reports whether s can be a header's value.
func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendValue adds a header's value. Step and job ids come from SDKs: what would
// end the line is left out.
func appendValue(dst []byte, s string) []byte {
	if validValue(s) {
		return append(dst, s...)
	}
	for i := 0; i < len(s); i++ {
		if validValue(s[i : i+1]) {
			dst = append(dst, s[i])
		}
	}
	return dst
}
