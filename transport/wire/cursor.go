package wire

import (
	"bytes"
	"unsafe"

	"ingot/internal/jcs"
)

// Functions in this file walk over canonical JSON. Since it is known to be valid
// and without whitespace, they check nothing and cannot fail.

// skip returns the index behind the value at b[i:].
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// members iterates over an object.
type members struct {
	b []byte
	i int
}

// next returns the raw text of a key, without quotes, and its value.
func (m *members) next() (key, value []byte, ok bool) {
	m.i++ // the brace or a comma
	if m.i >= len(m.b) || m.b[m.i] != '"' {
		return nil, nil, false
	}
	end := skipString(m.b, m.i)
	key = m.b[m.i+1 : end-1]
	m.i = skip(m.b, end+1)
	return key, m.b[end+1 : m.i : m.i], true
}

// elements iterates over an array.
type elements struct {
	b []byte
	i int
}

func (e *elements) next() (value []byte, ok bool) {
	e.i++ // the bracket or a comma
	if e.i >= len(e.b) || e.b[e.i] == ']' {
		return nil, false
	}
	from := e.i
	e.i = skip(e.b, from)
	return e.b[from:e.i:e.i], true
}

func (e *elements) count() int {
	n := 0
	for c := *e; ; n++ {
		if _, ok := c.next(); !ok {
			return n
		}
	}
}

// member returns an object's value of a key that needs no escapes, or nil.
func member(obj []byte, name string) []byte {
	for m := (members{b: obj}); ; {
		key, value, ok := m.next()
		if !ok {
			return nil
		}
		if string(key) == name {
			return value
		}
	}
}

func isNull(v []byte) bool   { return len(v) == 4 && v[0] == 'n' }
func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }
func isString(v []byte) bool { return len(v) > 0 && v[0] == '"' }

// text returns what a string value spells. Without escapes, which is the rule,
// it shares the value's memory.
func text(v []byte) string {
	s := v[1 : len(v)-1]
	if bytes.IndexByte(s, '\\') >= 0 {
		s = jcs.AppendText(make([]byte, 0, len(s)), s)
	}
	return unsafe.String(unsafe.SliceData(s), len(s))
}
