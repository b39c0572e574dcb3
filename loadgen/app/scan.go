package app

import "bytes"

// call is what the app needs of a call's body (spec 01 §7.3). Slices point into
// the body.
type call struct {
	run, function, item []byte // ctx.run_id, ctx.fn_id, ctx.qi_id
	attempt             int
	memos               int // steps that are done: length of ctx.stack.stack
	mark                mark
	branch              int // parallel step that is called for, -1 for a discovery; from the URL
}

// mark is the "lg" object that each event carries in its data.
type mark struct {
	found   bool
	session int64
	seq     int64
}

// scanner walks through JSON without building anything. The server's bodies are
// well-formed; on others it stops, and the call has no run.
type scanner struct {
	b   []byte
	at  int
	bad bool
}

// scan reads the parts of a call that come before the memos, which it never looks at.
func scan(body []byte) (c call) {
	s := scanner{b: body}
	var haveCtx, haveEvent bool
	for key, ok := s.object(); ok; key, ok = s.next() {
		switch {
		case equal(key, "ctx"):
			s.context(&c)
			haveCtx = true
		case equal(key, "event"):
			s.event(&c.mark)
			haveEvent = true
		default:
			s.skip()
		}
		if s.bad || haveCtx && haveEvent {
			break
		}
	}
	if s.bad {
		c.run = nil
	}
	return c
}

func (s *scanner) context(c *call) {
	for key, ok := s.object(); ok; key, ok = s.next() {
		switch {
		case equal(key, "run_id"):
			c.run = s.text()
		case equal(key, "fn_id"):
			c.function = s.text()
		case equal(key, "qi_id"):
			c.item = s.text()
		case equal(key, "attempt"):
			c.attempt = int(s.integer())
		case equal(key, "stack"):
			s.stack(c)
		default:
			s.skip()
		}
	}
}

func (s *scanner) stack(c *call) {
	for key, ok := s.object(); ok; key, ok = s.next() {
		if !equal(key, "stack") || !s.array() {
			s.skip()
			continue
		}
		for more := !s.ends(']'); more; more = s.more(']') {
			s.skip()
			c.memos++
		}
	}
}

// event looks for data.lg and leaves the rest of the event unread once it is found.
func (s *scanner) event(m *mark) {
	for key, ok := s.object(); ok; key, ok = s.next() {
		if !equal(key, "data") || s.peek() != '{' {
			s.skip()
			continue
		}
		for key, ok := s.object(); ok; key, ok = s.next() {
			if equal(key, "lg") && s.peek() == '{' {
				s.mark(m)
			} else {
				s.skip()
			}
		}
	}
}

// scanEvents finds the events of a run of several.
func scanEvents(body []byte, each func(mark)) {
	s := scanner{b: body}
	for key, ok := s.object(); ok; key, ok = s.next() {
		if !equal(key, "events") || !s.array() {
			s.skip()
			continue
		}
		for more := !s.ends(']'); more && !s.bad; more = s.more(']') {
			var m mark
			s.event(&m)
			each(m)
		}
		return
	}
}

func (s *scanner) mark(m *mark) {
	m.found = true
	for key, ok := s.object(); ok; key, ok = s.next() {
		switch {
		case equal(key, "s"):
			m.session = s.integer()
		case equal(key, "i"):
			m.seq = s.integer()
		default:
			s.skip()
		}
	}
}

// object enters an object and returns its first key.
func (s *scanner) object() (key []byte, ok bool) {
	if s.peek() != '{' {
		s.bad = true
		return nil, false
	}
	s.at++
	if s.ends('}') {
		return nil, false
	}
	return s.key()
}

// next returns the next key of the object, after its last value was read.
func (s *scanner) next() (key []byte, ok bool) {
	if !s.more('}') {
		return nil, false
	}
	return s.key()
}

func (s *scanner) key() ([]byte, bool) {
	k := s.text()
	if s.peek() != ':' {
		s.bad = true
	}
	s.at++
	return k, !s.bad
}

// array enters an array.
func (s *scanner) array() bool {
	if s.peek() != '[' {
		return false
	}
	s.at++
	return true
}

// ends leaves an empty object or array.
func (s *scanner) ends(closing byte) bool {
	if s.peek() != closing {
		return false
	}
	s.at++
	return true
}

// more goes over the comma to the next element, or over the end.
func (s *scanner) more(closing byte) bool {
	c := s.peek()
	s.at++
	if c != ',' && c != closing {
		s.bad = true
	}
	return c == ',' && !s.bad
}

// peek returns the next byte that is no white space; 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.b) {
		switch c := s.b[s.at]; c {
		case ' ', '\n', '\r', '\t':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// text returns a string's bytes as they are written, with their escapes.
func (s *scanner) text() []byte {
	if s.peek() != '"' {
		s.bad = true
		return nil
	}
	s.at++
	start := s.at
	for {
		i := bytes.IndexByte(s.b[s.at:], '"')
		if i < 0 {
			s.bad = true
			s.at = len(s.b)
			return nil
		}
		s.at += i + 1
		end := s.at - 1
		slashes := 0
		for end-slashes > start && s.b[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return s.b[start:end]
		}
	}
}

func (s *scanner) integer() (n int64) {
	negative := s.peek() == '-'
	if negative {
		s.at++
	}
	for s.at < len(s.b) && '0' <= s.b[s.at] && s.b[s.at] <= '9' {
		n = n*10 + int64(s.b[s.at]-'0')
		s.at++
	}
	s.scalar() // what else the number has
	if negative {
		return -n
	}
	return n
}

// skip goes over one value.
func (s *scanner) skip() {
	switch s.peek() {
	case '"':
		s.text()
	case '{', '[':
		s.skipNested()
	case 0:
		s.bad = true
	default:
		s.scalar()
	}
}

func (s *scanner) skipNested() {
	for depth := 0; s.at < len(s.b); {
		switch s.b[s.at] {
		case '"':
			s.text()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
	s.bad = true
}

func (s *scanner) scalar() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return
		}
		s.at++
	}
}

func equal(b []byte, s string) bool { return string(b) == s }
