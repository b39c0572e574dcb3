package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// The functions here read JSON text in place. The text was validated when the
// event came in; on anything else they end early and never panic. A repeated key
// counts with its last value, as in every JSON decoder that the reference and the
// SDKs use.

// skipSpace returns the index of the first byte at or after i that is no white space.
func skipSpace(s string, i int) int {
	for i < len(s) && s[i] <= ' ' {
		i++
	}
	return i
}

// skipString returns the index after the string that opens at s[i] and whether
// it has escapes.
func skipString(s string, i int) (end int, escaped bool) {
	i++
	for {
		q := strings.IndexByte(s[min(i, len(s)):], '"')
		if q < 0 {
			return len(s), escaped
		}
		q += i
		b := q
		for b > i && s[b-1] == '\\' {
			b--
		}
		if !escaped && strings.IndexByte(s[i:q], '\\') >= 0 {
			escaped = true
		}
		if (q-b)&1 == 0 {
			return q + 1, escaped
		}
		i = q + 1
	}
}

// structural marks the bytes at which skipValue has to look.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true}

// skipValue returns the index after the value that begins at s[i].
func skipValue(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	switch s[i] {
	case '"':
		end, _ := skipString(s, i)
		return end
	case '{', '[':
		depth := 0
		for i < len(s) {
			if !structural[s[i]] {
				i++
				continue
			}
			switch s[i] {
			case '"':
				i, _ = skipString(s, i)
				continue
			case '{', '[':
				depth++
			default:
				depth--
				if depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return len(s)
	default:
		for i < len(s) {
			switch s[i] {
			case ',', '}', ']', ' ', '\n', '\r', '\t':
				return i
			}
			i++
		}
		return i
	}
}

// objectIter walks the members of an object.
type objectIter struct {
	s string
	i int
}

func newObjectIter(s string) objectIter {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return objectIter{s, len(s)}
	}
	return objectIter{s, i + 1}
}

// next returns the key's text between its quotes, whether that has escapes, and
// where the value begins; the caller moves on with it.i = skipValue(it.s, at).
func (it *objectIter) next() (key string, escaped bool, at int, ok bool) {
	s := it.s
	i := skipSpace(s, it.i)
	if i < len(s) && s[i] == ',' {
		i = skipSpace(s, i+1)
	}
	if i >= len(s) || s[i] != '"' {
		return "", false, 0, false
	}
	end, escaped := skipString(s, i)
	if end-1 <= i {
		return "", false, 0, false
	}
	key = s[i+1 : end-1]
	i = skipSpace(s, end)
	if i >= len(s) || s[i] != ':' {
		return "", false, 0, false
	}
	i = skipSpace(s, i+1)
	if i >= len(s) {
		return "", false, 0, false
	}
	return key, escaped, i, true
}

// arrayIter walks the elements of an array.
type arrayIter struct {
	s string
	i int
}

func newArrayIter(s string) arrayIter {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return arrayIter{s, len(s)}
	}
	return arrayIter{s, i + 1}
}

func (it *arrayIter) next() (raw string, ok bool) {
	s := it.s
	i := skipSpace(s, it.i)
	if i < len(s) && s[i] == ',' {
		i = skipSpace(s, i+1)
	}
	if i >= len(s) || s[i] == ']' {
		return "", false
	}
	end := skipValue(s, i)
	if end <= i {
		return "", false
	}
	it.i = end
	return s[i:end], true
}

// decodeJSON is the value of one JSON text. Strings without escapes are views of
// it; lists and maps stay text.
func decodeJSON(raw string) value {
	if raw == "" {
		return missing
	}
	switch raw[0] {
	case '"':
		end, escaped := skipString(raw, 0)
		if end != len(raw) || end < 2 {
			return errorf("malformed JSON string")
		}
		if escaped {
			return stringValue(unescapeJSON(raw[1 : end-1]))
		}
		return stringValue(raw[1 : end-1])
	case '{':
		return value{k: kMap, s: raw}
	case '[':
		return value{k: kList, s: raw}
	case 't':
		return vTrue
	case 'f':
		return vFalse
	case 'n':
		return null
	default:
		return decodeNumber(raw)
	}
}

// decodeNumber reads integers of up to 15 digits itself; they are exact doubles.
func decodeNumber(raw string) value {
	i, neg := 0, false
	if raw[0] == '-' {
		i, neg = 1, true
	}
	if len(raw)-i <= 15 && len(raw) > i {
		var n int64
		for ; i < len(raw); i++ {
			c := raw[i] - '0'
			if c > 9 {
				break
			}
			n = n*10 + int64(c)
		}
		if i == len(raw) && !(neg && n == 0) {
			if neg {
				n = -n
			}
			return doubleValue(float64(n))
		}
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil && f == 0 {
		return errorf("malformed JSON number")
	}
	return doubleValue(f)
}

// keyEquals compares a key's raw text with a name.
func keyEquals(raw string, escaped bool, name string) bool {
	if !escaped {
		return raw == name
	}
	return unescapeJSON(raw) == name
}

func fieldJSON(s, key string) (value, bool) {
	it := newObjectIter(s)
	found := ""
	for {
		k, escaped, at, ok := it.next()
		if !ok {
			break
		}
		it.i = skipValue(s, at)
		if keyEquals(k, escaped, key) {
			found = s[at:it.i]
		}
	}
	if found == "" {
		return missing, false
	}
	return decodeJSON(found), true
}

func elementJSON(s string, i int64) value {
	it := newArrayIter(s)
	for ; i >= 0; i-- {
		raw, ok := it.next()
		if !ok {
			return missing
		}
		if i == 0 {
			return decodeJSON(raw)
		}
	}
	return missing
}

func elementsJSON(s string) []value {
	var out []value
	it := newArrayIter(s)
	for {
		raw, ok := it.next()
		if !ok {
			return out
		}
		out = append(out, decodeJSON(raw))
	}
}

func entriesJSON(s string) []mapEntry {
	var out []mapEntry
	seen := map[string]int{}
	it := newObjectIter(s)
	for {
		k, escaped, at, ok := it.next()
		if !ok {
			return out
		}
		if escaped {
			k = unescapeJSON(k)
		}
		it.i = skipValue(s, at)
		v := decodeJSON(s[at:it.i])
		if i, dup := seen[k]; dup {
			out[i].val = v
			continue
		}
		seen[k] = len(out)
		out = append(out, mapEntry{stringValue(k), v})
	}
}

func countJSON(s string) int {
	if s != "" && s[0] == '{' {
		return len(entriesJSON(s))
	}
	n := 0
	it := newArrayIter(s)
	for {
		if _, ok := it.next(); !ok {
			return n
		}
		n++
	}
}

// unescapeJSON decodes the text between the quotes of a JSON string.
func unescapeJSON(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' || i+1 >= len(s) {
			b = append(b, c)
			i++
			continue
		}
		i += 2
		switch s[i-1] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hex4(s, i)
			i = min(i+4, len(s))
			if r >= 0xD800 && r < 0xDC00 && i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
				if lo := hex4(s, i+2); lo >= 0xDC00 && lo < 0xE000 {
					r = 0x10000 + (r-0xD800)<<10 + (lo - 0xDC00)
					i += 6
				}
			}
			b = utf8.AppendRune(b, r) // a lone surrogate becomes U+FFFD
		default:
			b = append(b, s[i-1])
		}
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func hex4(s string, i int) rune {
	if i+4 > len(s) {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(s[i:i+4], 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
