package jcs

import (
	"slices"
	"sync"
	"unicode/utf8"
)

// writer rewrites one document. Members of an object are written in the order
// of the source; if that was not the canonical one, they are sorted afterwards
// by moving their spans.
type writer struct {
	src []byte
	i   int
	dst []byte
	// members is a stack: those of the open objects, innermost last.
	members []member
	tmp     []byte
}

// member is one `"key":value` in writer.dst.
type member struct{ start, keyEnd, end int }

var writers = sync.Pool{New: func() any { return new(writer) }}

// Scratch above these sizes is left to the garbage collector rather than pooled.
const (
	maxPooledTmp     = 1 << 20
	maxPooledMembers = 1 << 14
)

func appendSlow(dst, src []byte) ([]byte, error) {
	w := writers.Get().(*writer)
	w.src, w.i, w.dst = src, 0, dst
	err := w.document()
	out := w.dst
	w.src, w.dst = nil, nil
	w.members, w.tmp = w.members[:0], w.tmp[:0]
	if cap(w.tmp) <= maxPooledTmp && cap(w.members) <= maxPooledMembers {
		writers.Put(w)
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (w *writer) fail(msg string) error { return &SyntaxError{Offset: w.i, Msg: msg} }

func (w *writer) document() error {
	if err := w.value(0); err != nil {
		return err
	}
	if w.space(); w.i < len(w.src) {
		return w.fail("unexpected data behind the value")
	}
	return nil
}

func (w *writer) space() {
	for w.i < len(w.src) {
		switch w.src[w.i] {
		case ' ', '\t', '\n', '\r':
			w.i++
		default:
			return
		}
	}
}

// peek skips whitespace and returns the next byte, or 0 at the end.
func (w *writer) peek() byte {
	w.space()
	if w.i >= len(w.src) {
		return 0
	}
	return w.src[w.i]
}

func (w *writer) value(depth int) error {
	switch w.peek() {
	case '{':
		return w.object(depth + 1)
	case '[':
		return w.array(depth + 1)
	case '"':
		return w.string()
	case 't':
		return w.literal("true")
	case 'f':
		return w.literal("false")
	case 'n':
		return w.literal("null")
	case 0:
		return w.fail("unexpected end")
	}
	return w.number()
}

func (w *writer) literal(lit string) error {
	if _, ok := checkLiteral(w.src, w.i, lit); !ok {
		return w.fail("unknown literal")
	}
	w.i += len(lit)
	w.dst = append(w.dst, lit...)
	return nil
}

func (w *writer) array(depth int) error {
	if depth > MaxDepth {
		return w.fail("nested too deeply")
	}
	w.i++
	w.dst = append(w.dst, '[')
	if w.peek() == ']' {
		w.i++
		w.dst = append(w.dst, ']')
		return nil
	}
	for {
		if err := w.value(depth); err != nil {
			return err
		}
		c := w.peek()
		if c != ',' && c != ']' {
			return w.fail("expected a comma or the end of the array")
		}
		w.i++
		w.dst = append(w.dst, c)
		if c == ']' {
			return nil
		}
	}
}

func (w *writer) object(depth int) error {
	if depth > MaxDepth {
		return w.fail("nested too deeply")
	}
	w.i++
	w.dst = append(w.dst, '{')
	if w.peek() == '}' {
		w.i++
		w.dst = append(w.dst, '}')
		return nil
	}
	base := len(w.members)
	sorted := true
	for {
		if w.peek() != '"' {
			return w.fail("expected a key")
		}
		m := member{start: len(w.dst)}
		if err := w.string(); err != nil {
			return err
		}
		m.keyEnd = len(w.dst)
		if w.peek() != ':' {
			return w.fail("expected a colon")
		}
		w.i++
		w.dst = append(w.dst, ':')
		if err := w.value(depth); err != nil {
			return err
		}
		m.end = len(w.dst)
		if n := len(w.members); sorted && n > base {
			sorted = compareKeys(w.key(w.members[n-1]), w.key(m)) < 0
		}
		w.members = append(w.members, m)
		c := w.peek()
		if c != ',' && c != '}' {
			return w.fail("expected a comma or the end of the object")
		}
		w.i++
		if c == '}' {
			break
		}
		w.dst = append(w.dst, ',')
	}
	if !sorted {
		w.sort(w.members[base:])
	}
	w.members = w.members[:base]
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) key(m member) []byte { return w.dst[m.start+1 : m.keyEnd-1] }

// sort rewrites the members, which are the tail of dst, in canonical order. Of
// members with one key the last stays.
func (w *writer) sort(members []member) {
	base := members[0].start
	slices.SortFunc(members, func(a, b member) int {
		if c := compareKeys(w.key(a), w.key(b)); c != 0 {
			return c
		}
		return a.start - b.start
	})
	w.tmp = w.tmp[:0]
	for i, m := range members {
		if i+1 < len(members) && compareKeys(w.key(m), w.key(members[i+1])) == 0 {
			continue
		}
		if len(w.tmp) > 0 {
			w.tmp = append(w.tmp, ',')
		}
		w.tmp = append(w.tmp, w.dst[m.start:m.end]...)
	}
	w.dst = append(w.dst[:base], w.tmp...)
}

func (w *writer) number() error {
	end, integer, ok := scanNumber(w.src, w.i)
	if !ok {
		return w.fail("invalid value")
	}
	num := w.src[w.i:end]
	if integer && exactInteger(num) {
		w.dst = append(w.dst, num...)
	} else if w.dst, ok = appendNumber(w.dst, num); !ok {
		return w.fail("number out of range")
	}
	w.i = end
	return nil
}

func (w *writer) string() error {
	w.i++
	w.dst = append(w.dst, '"')
	for {
		from := w.i
		w.i = skipPlain(w.src, w.i)
		w.dst = append(w.dst, w.src[from:w.i]...)
		if w.i >= len(w.src) {
			return w.fail("unexpected end in a string")
		}
		switch c := w.src[w.i]; {
		case c == '"':
			w.i++
			w.dst = append(w.dst, '"')
			return nil
		case c == '\\':
			if err := w.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return w.fail("control character in a string")
		default:
			r, n := utf8.DecodeRune(w.src[w.i:])
			w.dst = utf8.AppendRune(w.dst, r) // an invalid byte decodes to U+FFFD
			w.i += n
		}
	}
}

func (w *writer) escape() error {
	if w.i+1 >= len(w.src) {
		return w.fail("unexpected end in a string")
	}
	c := w.src[w.i+1]
	switch c {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		w.dst = append(w.dst, '\\', c)
		w.i += 2
		return nil
	case '/':
		w.dst = append(w.dst, '/')
		w.i += 2
		return nil
	case 'u':
	default:
		return w.fail("unknown escape")
	}
	r, ok := hex4(w.src[w.i:])
	if !ok {
		return w.fail("invalid unicode escape")
	}
	w.i += 6
	if r >= 0xd800 && r < 0xe000 {
		lo, ok := hex4(w.src[w.i:])
		if ok && r < 0xdc00 && lo >= 0xdc00 && lo < 0xe000 {
			w.i += 6
			r = 0x10000 + (r-0xd800)<<10 + (lo - 0xdc00)
		} else {
			r = utf8.RuneError
		}
	}
	w.dst = appendRune(w.dst, r)
	return nil
}

// hex4 reads the code unit of a \uXXXX sequence.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		v := hexValue(c)
		if v < 0 {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	return r, true
}
