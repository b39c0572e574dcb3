package event

import (
	"errors"
	"fmt"
)

// Limits of the event API (spec 02 §3.2).
const (
	// MaxEventSize bounds the raw JSON of one event in bytes.
	MaxEventSize = 3 << 20
	// MaxEvents bounds the events of one request.
	MaxEvents = 5000
)

// Errors of a Parser whose texts senders see, besides those that name a value.
var (
	// ErrBody says that the body is neither an object nor an array.
	ErrBody = errors.New("Request body must contain an event object or an array of event objects") //nolint:staticcheck // the reference's text
	// ErrTooMany says that the body has more than MaxEvents events.
	ErrTooMany = fmt.Errorf("Cannot have more than %d events in a batch", MaxEvents) //nolint:staticcheck // the reference's text
	// ErrNameEmpty says that an event has no name.
	ErrNameEmpty = errors.New("event name is empty")
	// ErrTooEarly and ErrTooLate say that ts is out of range.
	ErrTooEarly = errors.New("timestamp is before Jan 1, 1980")
	ErrTooLate  = errors.New("timestamp is after Jan 1, 2100")
)

// Parser reads the events of one request body, one after another:
//
//	p.Reset(body, now)
//	for p.Next(&e) {
//		…
//	}
//	if err := p.Err(); err != nil {
//		…
//	}
//
// It accepts and refuses what the reference does, with the same texts. It can be
// used again after Reset and does not allocate for ordinary events. A Parser is
// used by one goroutine at a time.
type Parser struct {
	body []byte
	pos  int
	now  int64
	n    int
	mode parserMode
	err  error
}

type parserMode uint8

const (
	modeStart parserMode = iota
	modeArray
	modeDone
)

// Reset begins with a new body. now is the time of receipt in unix ms. The body
// must not change as long as events parsed from it are in use.
func (p *Parser) Reset(body []byte, now int64) { *p = Parser{body: body, now: now} }

// Err returns what ended the parsing, or nil at the body's regular end. Events
// that Next has returned before are good.
func (p *Parser) Err() error { return p.err }

// Next reads the next event into e, normalised and validated, and reports
// whether there was one. It leaves InternalID and Seeded alone. The slices of e
// alias the body or are fresh.
func (p *Parser) Next(e *Event) bool {
	switch p.mode {
	case modeStart:
		p.pos = skipSpace(p.body, 0)
		if p.pos == len(p.body) {
			p.mode = modeDone
			return false
		}
		switch p.body[p.pos] {
		case '{':
			p.mode = modeDone
			return p.accept(p.single(e), e)
		case '[':
			p.mode = modeArray
			p.pos++
			return p.element(e)
		}
		return p.fail(ErrBody)
	case modeArray:
		return p.element(e)
	default:
		return false
	}
}

func (p *Parser) fail(err error) bool {
	p.err, p.mode = err, modeDone
	return false
}

func (p *Parser) accept(err error, e *Event) bool {
	if err == nil {
		err = e.normalise(p.now)
	}
	if err != nil {
		return p.fail(err)
	}
	p.n++
	return true
}

// single reads a body that is one event. All of it counts for the size.
func (p *Parser) single(e *Event) error {
	if err := checkSize(len(p.body)); err != nil {
		return err
	}
	end, plain := parseEvent(p.body, p.pos, e)
	if plain && skipSpace(p.body, end) == len(p.body) {
		return nil
	}
	return decodeEvent(p.body, e)
}

// element reads the next event of an array. As in the reference the array may
// lack its closing bracket, and whatever follows that is ignored.
func (p *Parser) element(e *Event) bool {
	i := skipSpace(p.body, p.pos)
	if i == len(p.body) || p.body[i] == ']' || p.body[i] == '}' {
		p.mode = modeDone
		return false
	}
	if p.n == MaxEvents {
		return p.fail(ErrTooMany)
	}
	if p.n > 0 && p.body[i] == ',' {
		i = skipSpace(p.body, i+1)
	} else if p.n > 0 {
		return p.fail(errNoComma)
	}
	end, plain := parseEvent(p.body, i, e)
	if end == invalid {
		span, err := decodeElement(p.body[i:])
		if err != nil {
			return p.fail(err)
		}
		end = i + span
	}
	p.pos = end
	if err := checkSize(end - i); err != nil {
		return p.fail(err)
	}
	var err error
	if !plain {
		err = decodeEvent(p.body[i:end], e)
	}
	return p.accept(err, e)
}

func checkSize(n int) error {
	if n > MaxEventSize {
		return fmt.Errorf("Event is over the max size: Max %d bytes / Size %d bytes", MaxEventSize, n) //nolint:staticcheck // the reference's text
	}
	return nil
}
