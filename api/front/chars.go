package front

import "math"

// token are the characters of a header's name (RFC 9110 §5.6.2).
var token = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// nameLen is the length of the name of a header line; 0 if there is none.
func nameLen(line []byte) int {
	for i, c := range line {
		if !token[c] {
			if c != ':' {
				return 0
			}
			return i
		}
	}
	return 0
}

// plainValue reports whether a header's value has no control characters (RFC 9110 §5.5).
func plainValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// plainKey reports whether a path segment is what it seems: nothing in it is encoded or
// separates.
func plainKey(key []byte) bool {
	for _, c := range key {
		if !token[c] || c == '%' || c == '#' {
			return false
		}
	}
	return len(key) > 0
}

// plainHost reports whether a Host is a name or an IPv4 address, perhaps with a port.
func plainHost(host []byte) bool {
	for i, c := range host {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '.', c == '_':
		case c == ':':
			return i > 0 && decimal(host[i+1:]) >= 0
		default:
			return false
		}
	}
	return len(host) > 0
}

// decimal reads a number without a sign; -1 if it is none, or one that is far too large.
func decimal(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > math.MaxInt32/10 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	if len(b) == 0 {
		return -1
	}
	return n
}
