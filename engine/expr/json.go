package expr

import (
	"math/bits"
	"strconv"
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
// it has escapes. It looks at eight bytes at a time: most strings of an event are
// so short that calling IndexByte would cost more.
func skipString(s string, i int) (end int, escaped bool) {
	i++
	for i+8 <= len(s) {
		w := load8(s, i)
		q, b := w^('"'*ones), w^('\\'*ones)
		// The lowest bit set is at the first quote or backslash.
		hit := ((q-ones) & ^q | (b-ones) & ^b) & highs
		if hit == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(hit) >> 3
		if s[i] == '"' {
			return i + 1, escaped
		}
		escaped = true
		i += 2
	}
	for i < len(s) {
		switch s[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			i++
		}
		i++
	}
	return len(s), escaped
}

// load8 compiles to one load where the platform allows.
func load8(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

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
		return skipContainer(s, i)
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

// skipContainer returns the index after the object or array that begins at s[i].
// It takes eight bytes at a time and has no branch per string or number, which
// would be mispredicted more often than not.
func skipContainer(s string, i int) int {
	depth := 0
	inside := uint64(0) // all highs when s[i] is inside a string
	for i+8 <= len(s) {
		w := load8(s, i)
		if x := w ^ '\\'*ones; (x-ones)&^x&highs != 0 {
			var end int
			if i, end, depth, inside = skipSlowly(s, i, depth, inside); end >= 0 {
				return end
			}
			continue
		}
		// Each bit of str tells whether its byte is inside a string: whether the
		// number of quotes up to it is odd.
		str := matchBytes(w, '"')
		str ^= str << 8
		str ^= str << 16
		str ^= str << 32
		str ^= inside
		inside = (str >> 63) * highs
		// With these bits set, only [ ] { } and Y y _ DEL are 0x7F, and of those only
		// brackets are outside strings. Bit 2 tells closing ones.
		brackets := matchBytes(w|0x26*ones, 0x7F) &^ str
		if brackets != 0 {
			closing := brackets & (w << 5)
			closed := bits.OnesCount64(closing)
			if depth > closed {
				depth += bits.OnesCount64(brackets) - 2*closed
			} else {
				for m := brackets; m != 0; m &= m - 1 {
					bit := m & -m
					if closing&bit == 0 {
						depth++
					} else if depth--; depth == 0 {
						return i + bits.TrailingZeros64(bit)>>3 + 1
					}
				}
			}
		}
		i += 8
	}
	_, end, _, _ := skipSlowly(s, i, depth, inside)
	if end < 0 {
		return len(s)
	}
	return end
}

// skipSlowly is skipContainer for the next eight bytes or so, for those that have a
// backslash or are the last. end is -1 if the container goes on after them.
func skipSlowly(s string, i, depth int, inside uint64) (next, end, newDepth int, newInside uint64) {
	stop := min(i+8, len(s))
	for ; i < stop; i++ {
		switch c := s[i]; {
		case c == '"':
			inside ^= highs
		case inside != 0:
			if c == '\\' {
				i++
			}
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i, i + 1, 0, 0
			}
		}
	}
	return i, -1, depth, inside
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// matchBytes sets the highest bit of each byte of w that equals c.
func matchBytes(w uint64, c byte) uint64 {
	x := w ^ uint64(c)*ones
	return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs))
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
