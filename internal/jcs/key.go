package jcs

import (
	"strings"
	"unicode/utf8"
)

// Compare orders two texts by their UTF-16 code units, as keys are sorted. Both
// must be valid UTF-8.
func Compare(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	// UTF-8 has the same order, except that code units of surrogate pairs (lead
	// byte F0 and above) are below U+E000 to U+FFFF (lead bytes EE and EF). Two
	// differing bytes below EE are in order even inside a character.
	if i < n && (a[i] >= 0xee) && (b[i] >= 0xee) {
		if (a[i] >= 0xf0) != (b[i] >= 0xf0) {
			return int(b[i]) - int(a[i])
		}
	}
	return strings.Compare(a[i:], b[i:])
}

// compareKeys orders two keys, given as the canonical text between their
// quotes, by the UTF-16 code units of what they spell.
func compareKeys(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		// One is a prefix of the other. A prefix never ends inside an escape or a
		// character, because both are complete.
		return len(a) - len(b)
	}
	// Step back to where the differing character begins.
	for i > 0 && !utf8.RuneStart(a[i]) {
		i--
	}
	if back := escapeStart(a, i); back >= 0 {
		i = back
	}
	x, y := unitAt(a[i:]), unitAt(b[i:])
	if x.hi != y.hi {
		return int(x.hi) - int(y.hi)
	}
	return int(x.lo) - int(y.lo)
}

// escapeStart returns the index of the backslash whose escape sequence covers
// position i of s, or -1 if there is none. A difference inside an escape can
// only stand at its second character or in the hex digits of \u00xx.
func escapeStart(s []byte, i int) int {
	for back := 1; back <= 5 && back <= i; back++ {
		j := i - back
		if s[j] != '\\' {
			continue
		}
		// It begins an escape only behind an even number of backslashes.
		k := j
		for k > 0 && s[k-1] == '\\' {
			k--
		}
		if (j-k)%2 != 0 {
			return -1
		}
		if back == 1 || s[j+1] == 'u' {
			return j
		}
		return -1
	}
	return -1
}

// units are the UTF-16 code units of one character; lo is 0 for a single one.
type units struct{ hi, lo uint16 }

// unitAt decodes the character at the beginning of canonical string text.
func unitAt(s []byte) units {
	if s[0] == '\\' {
		switch s[1] {
		case 'b':
			return units{hi: '\b'}
		case 'f':
			return units{hi: '\f'}
		case 'n':
			return units{hi: '\n'}
		case 'r':
			return units{hi: '\r'}
		case 't':
			return units{hi: '\t'}
		case 'u':
			return units{hi: uint16(hexValue(s[4]))<<4 | uint16(hexValue(s[5]))}
		}
		return units{hi: uint16(s[1])}
	}
	r, _ := utf8.DecodeRune(s)
	if r < 0x10000 {
		return units{hi: uint16(r)}
	}
	r -= 0x10000
	return units{hi: uint16(0xd800 + r>>10), lo: uint16(0xdc00 + r&0x3ff)}
}

// hexValue is the value of a hex digit, or -1.
func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
