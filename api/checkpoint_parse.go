package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unsafe"

	"ingot/engine"
	"ingot/transport/wire"

	"github.com/oklog/ulid/v2"
)

// checkpointBody is the body of /steps and /async (spec 01 §13.2), as far as the
// engine needs it.
type checkpointBody struct {
	runID      ulid.ULID
	jobID      string
	generation int
	ops        []engine.Op
}

// checkpointJSON is checkpointBody for encoding/json.
type checkpointJSON struct {
	RunID      ulid.ULID       `json:"run_id"`
	QueueItem  string          `json:"qi_id"`
	Generation int             `json:"generation_id"`
	Steps      json.RawMessage `json:"steps"`
}

// parseCheckpoint reads a checkpoint's body. The ops do not alias it.
//
// What SDKs send is read by spans. Whatever is out of the ordinary goes to
// encoding/json instead, which also words the errors as the reference does.
func parseCheckpoint(body []byte) (checkpointBody, error) {
	c, steps, ok := scanCheckpoint(body)
	if !ok {
		var j checkpointJSON
		// A decoder, not Unmarshal: like the reference it ignores what follows the object.
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&j); err != nil {
			return checkpointBody{}, err
		}
		c, steps = checkpointBody{runID: j.RunID, jobID: jobOf([]byte(j.QueueItem)), generation: j.Generation}, j.Steps
	}
	var err error
	c.ops, err = wire.ParseOpArray(steps)
	return c, err
}

// scanCheckpoint is the fast way. ok is false if the body is not plain; it may
// still be right.
func scanCheckpoint(body []byte) (c checkpointBody, steps []byte, ok bool) {
	f := fields{b: body}
	for f.next() {
		good := true
		switch string(f.key) {
		case "run_id":
			text, plain := plainString(f.value)
			if !plain || c.runID.UnmarshalText(text) != nil {
				return checkpointBody{}, nil, false
			}
		case "qi_id":
			var text []byte
			text, good = plainString(f.value)
			c.jobID = jobOf(text)
		case "generation_id":
			n, err := strconv.Atoi(unsafe.String(unsafe.SliceData(f.value), len(f.value)))
			c.generation, good = n, err == nil && plainInt(f.value)
		case "steps":
			good = steps == nil
			steps = f.value // the parser of ops checks it
		default:
			good = json.Valid(f.value) && !inOtherCase(f.key)
		}
		if !good {
			return checkpointBody{}, nil, false
		}
	}
	return c, steps, f.ok
}

// inOtherCase reports whether encoding/json would take key for one of the fields
// above: it ignores case.
func inOtherCase(key []byte) bool {
	for _, name := range []string{"run_id", "qi_id", "generation_id", "steps"} {
		if len(key) == len(name) && strings.EqualFold(unsafe.String(unsafe.SliceData(key), len(key)), name) {
			return true
		}
	}
	return false
}

// plainString returns the text of a JSON string without escapes.
func plainString(v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	v = v[1 : len(v)-1]
	for _, c := range v {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return nil, false
		}
	}
	return v, true
}

// plainInt reports whether v is an integer as JSON spells it.
func plainInt(v []byte) bool {
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	return len(v) > 0 && (v[0] != '0' || len(v) == 1) && v[0] != '+'
}

// fields walks the members of one JSON object. It finds where values end and does
// not check what is in them.
type fields struct {
	b   []byte
	pos int
	// key is the member's name without quotes; value its raw text.
	key, value []byte
	// ok says, when next has returned false, that the object was whole, had plain
	// keys, and was all of b.
	ok   bool
	more bool
}

// next goes to the next member.
func (f *fields) next() bool {
	if !f.more {
		if f.space(); f.peek() != '{' {
			return false
		}
		f.pos++
		f.more = true
		if f.space(); f.peek() == '}' {
			return f.end()
		}
	} else {
		f.space()
		switch f.peek() {
		case '}':
			return f.end()
		case ',':
			f.pos++
			f.space()
		default:
			return false
		}
	}
	from := f.pos
	if !f.skip() {
		return false
	}
	key, plain := plainString(f.b[from:f.pos])
	f.space()
	if !plain || f.peek() != ':' {
		return false
	}
	f.pos++
	f.space()
	from = f.pos
	if !f.skip() {
		return false
	}
	f.key, f.value = key, f.b[from:f.pos]
	return true
}

func (f *fields) end() bool {
	f.pos++
	f.space()
	f.ok = f.pos == len(f.b)
	return false
}

func (f *fields) peek() byte {
	if f.pos < len(f.b) {
		return f.b[f.pos]
	}
	return 0
}

func (f *fields) space() {
	for f.pos < len(f.b) {
		switch f.b[f.pos] {
		case ' ', '\t', '\n', '\r':
			f.pos++
		default:
			return
		}
	}
}

// skip goes behind the value at pos: behind the matching bracket of an object or
// array, else to the next delimiter. It returns false for an unfinished value.
func (f *fields) skip() bool {
	depth := 0
	for from := f.pos; f.pos < len(f.b); {
		switch f.b[f.pos] {
		case '"':
			if !f.skipString() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return f.pos > from
			}
			if depth--; depth == 0 {
				f.pos++
				return true
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return f.pos > from
			}
		}
		f.pos++
	}
	return false
}

func (f *fields) skipString() bool {
	for {
		f.pos++
		i := bytes.IndexByte(f.b[min(f.pos, len(f.b)):], '"')
		if i < 0 {
			return false
		}
		end := f.pos + i
		// The quote is escaped if an odd number of backslashes is before it.
		n := 0
		for end-1-n >= f.pos && f.b[end-1-n] == '\\' {
			n++
		}
		f.pos = end
		if n%2 == 0 {
			f.pos++
			return true
		}
	}
}
