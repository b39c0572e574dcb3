package jcs

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The check* functions look at the element at s[i:] and return the index behind
// it. ok is false if it is invalid or not canonical; they do not tell which,
// since the slow path looks again in either case.

func checkValue(s []byte, i, depth int) (next int, ok bool) {
	if i >= len(s) {
		return i, false
	}
	switch s[i] {
	case '{':
		return checkObject(s, i, depth+1)
	case '[':
		return checkArray(s, i, depth+1)
	case '"':
		return checkString(s, i)
	case 't':
		return checkLiteral(s, i, "true")
	case 'f':
		return checkLiteral(s, i, "false")
	case 'n':
		return checkLiteral(s, i, "null")
	}
	return checkNumber(s, i)
}

func checkLiteral(s []byte, i int, lit string) (int, bool) {
	end := i + len(lit)
	return end, end <= len(s) && string(s[i:end]) == lit
}

func checkObject(s []byte, i, depth int) (int, bool) {
	if depth > MaxDepth {
		return i, false
	}
	i++
	if i < len(s) && s[i] == '}' {
		return i + 1, true
	}
	var last []byte
	for first := true; ; first = false {
		if i >= len(s) || s[i] != '"' {
			return i, false
		}
		end, ok := checkString(s, i)
		if !ok || end >= len(s) || s[end] != ':' {
			return end, false
		}
		key := s[i+1 : end-1]
		if !first && compareKeys(last, key) >= 0 {
			return i, false
		}
		last = key
		if i, ok = checkValue(s, end+1, depth); !ok || i >= len(s) {
			return i, false
		}
		switch s[i] {
		case ',':
			i++
		case '}':
			return i + 1, true
		default:
			return i, false
		}
	}
}

func checkArray(s []byte, i, depth int) (int, bool) {
	if depth > MaxDepth {
		return i, false
	}
	i++
	if i < len(s) && s[i] == ']' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = checkValue(s, i, depth); !ok || i >= len(s) {
			return i, false
		}
		switch s[i] {
		case ',':
			i++
		case ']':
			return i + 1, true
		default:
			return i, false
		}
	}
}

func checkString(s []byte, i int) (int, bool) {
	i++
	for {
		i = skipPlain(s, i)
		if i >= len(s) {
			return i, false
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1, true
		case c == '\\':
			n := canonicalEscape(s[i:])
			if n == 0 {
				return i, false
			}
			i += n
		case c < 0x20:
			return i, false
		default:
			r, n := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				return i, false
			}
			i += n
		}
	}
}

// skipPlain returns the index of the first byte at or after i that is not
// printable ASCII standing for itself: a quote, a backslash, a control
// character, or part of a multi-byte character.
func skipPlain(s []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for i+8 <= len(s) {
		w := binary.LittleEndian.Uint64(s[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// Each term has the high bit of a byte set if that byte is special; a false
		// positive can only stand above a true one, so the lowest bit is exact.
		m := (quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w | w
		if m &= highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for i < len(s) && s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// canonicalEscape returns the length of the escape sequence that s begins with,
// or 0 if canonical JSON would not contain it.
func canonicalEscape(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	if len(s) < 6 || s[2] != '0' || s[3] != '0' || s[4] > '1' || s[4] < '0' {
		return 0
	}
	lo := s[5]
	switch {
	case lo >= '0' && lo <= '9', lo >= 'a' && lo <= 'f':
	default:
		return 0
	}
	if s[4] == '0' && (lo == '8' || lo == '9' || lo == 'a' || lo == 'c' || lo == 'd') {
		return 0 // \b \t \n \f \r have short forms
	}
	return 6
}

func checkNumber(s []byte, i int) (int, bool) {
	end, integer, ok := scanNumber(s, i)
	if !ok {
		return end, false
	}
	num := s[i:end]
	if integer && exactInteger(num) {
		return end, true
	}
	var buf [32]byte
	out, ok := appendNumber(buf[:0], num)
	return end, ok && bytes.Equal(out, num)
}

// exactInteger reports whether an integer literal is its own canonical form
// because every integer of its length is exact in a double.
func exactInteger(num []byte) bool {
	if num[0] == '-' {
		return len(num) <= 16 && num[1] != '0'
	}
	return len(num) <= 15
}

// scanNumber finds the end of the JSON number at s[i:]. integer says that it
// has neither fraction nor exponent.
func scanNumber(s []byte, i int) (end int, integer, ok bool) {
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i >= len(s):
		return i, false, false
	case s[i] == '0':
		i++
	case s[i] >= '1' && s[i] <= '9':
		i = skipDigits(s, i)
	default:
		return i, false, false
	}
	integer = true
	if i < len(s) && s[i] == '.' {
		integer = false
		from := i + 1
		if i = skipDigits(s, from); i == from {
			return i, false, false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		integer = false
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		from := i
		if i = skipDigits(s, from); i == from {
			return i, false, false
		}
	}
	return i, integer, true
}

func skipDigits(s []byte, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}
