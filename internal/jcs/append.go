package jcs

import (
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// AppendString adds s as a canonical JSON string, quotes included. Invalid UTF-8
// becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return AppendBytes(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// AppendBytes is AppendString for text held in a byte slice.
func AppendBytes(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		from := i
		i = skipPlain(s, i)
		dst = append(dst, s[from:i]...)
		if i == len(s) {
			break
		}
		r, n := utf8.DecodeRune(s[i:])
		dst = appendRune(dst, r)
		i += n
	}
	return append(dst, '"')
}

// appendRune adds one character of a string, escaped if it has to be.
func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r < 0x20 {
		return append(dst, '\\', 'u', '0', '0', '0'+byte(r>>4), "0123456789abcdef"[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// AppendFloat adds f as ECMAScript prints it. f must be finite.
func AppendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // also for -0
	}
	format := byte('f')
	if abs := math.Abs(f); abs < 1e-6 || abs >= 1e21 {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if n := len(dst); format == 'e' && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-07 is e-7
		dst = dst[:n-1]
	}
	return dst
}

// appendNumber adds the canonical form of a number literal; ok is false if it is
// beyond the range of a double.
func appendNumber(dst, num []byte) (out []byte, ok bool) {
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(num), len(num)), 64)
	if err != nil {
		return dst, false
	}
	return AppendFloat(dst, f), true
}

// AppendText adds the text that a canonical JSON string spells, given without
// its quotes.
func AppendText(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			from := i
			for i < len(s) && s[i] != '\\' {
				i++
			}
			dst = append(dst, s[from:i]...)
			continue
		}
		dst = utf8.AppendRune(dst, rune(unitAt(s[i:]).hi))
		if s[i+1] == 'u' {
			i += 6
		} else {
			i += 2
		}
	}
	return dst
}
