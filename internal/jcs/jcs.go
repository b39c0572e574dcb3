// Package jcs writes JSON in the canonical form of RFC 8785, the form over which
// SDKs verify signatures (spec 01 §3.3): object keys sorted by UTF-16 code units,
// no whitespace, numbers as ECMAScript prints them, strings with the fewest
// escapes.
//
// Nothing is decoded into maps. Input that is canonical already, which is what
// flows through the server once it has been accepted, costs one scan and one copy.
//
// Where RFC 8785 leaves input undefined, the answer is that of the reference's
// decoder: a repeated key keeps its last value, and invalid UTF-8 and lone
// surrogates become U+FFFD. A number beyond the range of a double is an error.
package jcs

import "fmt"

// MaxDepth is the deepest nesting of arrays and objects that Append accepts.
const MaxDepth = 1000

// SyntaxError says why and where an input is not acceptable JSON.
type SyntaxError struct {
	Offset int // in bytes from the input's start
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Msg)
}

// Append adds the canonical form of the JSON value src to dst. Input that is
// already canonical is copied without further work and without allocation
// beyond dst's growth. Invalid JSON is a *SyntaxError, and dst is returned
// unchanged. src and dst must not overlap.
func Append(dst, src []byte) ([]byte, error) {
	if Canonical(src) {
		return append(dst, src...), nil
	}
	return appendSlow(dst, src)
}

// Canonical reports whether src is exactly one JSON value in canonical form.
func Canonical(src []byte) bool {
	end, ok := checkValue(src, 0, 0)
	return ok && end == len(src)
}
