package loadgen

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"ingot/loadgen/app"
)

// template is an event but for its number, time and id.
type template struct {
	part     *part
	function int    // number of the part's function that the event is for
	head     []byte // up to the session's number in data.lg
	tail     []byte // from behind data.lg to the end of data
	rest     []byte // further fields of the event, each after a comma
	key      bool   // data.key names the run
}

// markSize is about what the variable fields of an event take.
const markSize = 45

// newTemplate makes an event of about size bytes.
func newTemplate(p *part, event string, size int) *template {
	t := templateFor(p, event)
	if pad := size - len(t.head) - markSize - len(`,"p":""`) - len(p.shape.Flow.AppendMark(nil, 0)); pad > 0 {
		t.tail = []byte(`,"p":"` + strings.Repeat("x", pad) + `"}`)
	}
	t.key = p.kind == app.Waits
	return t
}

func templateFor(p *part, event string) *template {
	name, _ := json.Marshal(event) // a string: cannot fail
	return &template{part: p, head: []byte(`{"name":` + string(name) + `,"data":{"lg":{"s":`), tail: []byte{'}'}}
}

// append appends event seq of a session.
func (t *template) append(b []byte, session, seq int64, due time.Duration, id bool) []byte {
	b = append(b, t.head...)
	b = strconv.AppendInt(b, session, 10)
	b = append(b, `,"i":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"t":`...)
	b = strconv.AppendInt(b, int64(due), 10)
	b = t.part.shape.Flow.AppendMark(b, seq)
	b = append(b, '}')
	if t.key {
		b = append(b, `,"key":"`...)
		b = appendKey(b, session, seq)
		b = append(b, '"')
	}
	b = append(b, t.tail...)
	if id {
		b = append(b, `,"id":"lg-`...)
		b = appendKey(b, session, seq)
		b = append(b, '"')
	}
	b = append(b, t.rest...)
	return append(b, '}')
}

// appendKey appends what names an event in the whole server.
func appendKey(b []byte, session, seq int64) []byte {
	b = strconv.AppendInt(b, session, 10)
	b = append(b, '-')
	return strconv.AppendInt(b, seq, 10)
}
