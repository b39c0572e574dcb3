package event

import (
	"bytes"
	"unicode/utf8"
)

// Fields of an event object, as bits.
const (
	fieldName = 1 << iota
	fieldData
	fieldUser
	fieldTS
	fieldV
	fieldID
	fieldMeta
)

// parseEvent reads the event object at b[i] into e. end is the index after it,
// or invalid if it is not valid JSON or nested deeply. plain says that e is
// complete; otherwise the event is for decodeEvent, to decode or to refuse.
func parseEvent(b []byte, i int, e *Event) (end int, plain bool) {
	id, seeded := e.InternalID, e.Seeded
	*e = Event{InternalID: id, Seeded: seeded}
	if i >= len(b) || b[i] != '{' {
		return scanValue(b, i, 0), false
	}
	start := i
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	var seen uint
	for {
		key, escaped, value := scanKey(b, i)
		if value == invalid || value >= len(b) {
			return invalid, false
		}
		field := uint(0)
		ok := !escaped
		if ok {
			field, ok = fieldOf(key)
		}
		if ok && field&seen == 0 {
			i, ok = e.parseField(field, b, value)
		} else {
			ok = false
		}
		if !ok {
			// Not plain: find the end, and leave the rest to decodeEvent.
			return scanValue(b, start, 0), false
		}
		seen |= field
		i = skipSpace(b, i)
		if i >= len(b) {
			return invalid, false
		}
		if b[i] == '}' {
			return i + 1, true
		}
		if b[i] != ',' {
			return invalid, false
		}
		i = skipSpace(b, i+1)
	}
}

// fieldOf returns the field that key names, ignoring case as encoding/json does,
// or 0. ok is false for names that need its full rules (U+017F folds to s).
func fieldOf(key []byte) (field uint, ok bool) {
	switch len(key) {
	case 1:
		if lower(key[0]) == 'v' {
			return fieldV, true
		}
	case 2:
		if foldEqual(key, "ts") {
			return fieldTS, true
		}
		if foldEqual(key, "id") {
			return fieldID, true
		}
	case 4:
		switch lower(key[0]) {
		case 'n':
			if foldEqual(key, "name") {
				return fieldName, true
			}
		case 'd':
			if foldEqual(key, "data") {
				return fieldData, true
			}
		case 'u':
			if foldEqual(key, "user") {
				return fieldUser, true
			}
		case 'm':
			if foldEqual(key, "meta") {
				return fieldMeta, true
			}
		}
	}
	return 0, !bytes.Contains(key, []byte("\u017f"))
}

// foldEqual reports whether b is the lower-case ASCII word, ignoring case.
func foldEqual(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range len(word) {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// parseField reads the value at b[i] into the field of e and returns the index
// after it; ok is false if the value is invalid or not plain.
func (e *Event) parseField(field uint, b []byte, i int) (end int, ok bool) {
	if field == 0 {
		end = scanValue(b, i, 1)
		return end, end != invalid
	}
	if b[i] == 'n' {
		// null leaves the field as it is.
		end = scanLiteral(b, i, "null")
		return end, end != invalid
	}
	switch field {
	case fieldData:
		var reserved bool
		end, reserved = scanData(b, i)
		if end == invalid {
			return invalid, false
		}
		e.Data = b[i:end:end]
		if reserved {
			e.Data = stripReserved(e.Data)
		}
		return end, true
	case fieldUser:
		if b[i] != '{' {
			return invalid, false
		}
		end = scanObject(b, i+1, 2)
		if end == invalid {
			return invalid, false
		}
		e.User = b[i:end:end]
		return end, true
	case fieldTS:
		e.TS, end, ok = parseInt(b, i)
		return end, ok
	case fieldMeta:
		if b[i] != '{' {
			return invalid, false
		}
		if end = scanObject(b, i+1, 2); end == invalid {
			return invalid, false
		}
		e.Sessions = b[i:end:end] // the whole of meta, until normalise merges its layers
		return end, true
	}
	text, end, ok := parseText(b, i)
	switch field {
	case fieldName:
		e.Name = text
	case fieldID:
		e.ID = text
	case fieldV:
		e.V = text
	}
	return end, ok
}

// parseText reads the string at b[i]. Strings with escapes or invalid UTF-8 are
// not plain.
func parseText(b []byte, i int) (text []byte, end int, ok bool) {
	if b[i] != '"' {
		return nil, invalid, false
	}
	end, escaped := scanString(b, i+1)
	if end == invalid || escaped {
		return nil, invalid, false
	}
	text = b[i+1 : end-1 : end-1]
	return text, end, utf8.Valid(text)
}

// parseInt reads the number at b[i] if it is an integer of at most 18 digits.
func parseInt(b []byte, i int) (n int64, end int, ok bool) {
	neg := b[i] == '-'
	if neg {
		i++
	}
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' && i-start <= 18 {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	digits := i - start
	if digits == 0 || digits > 18 || digits > 1 && b[start] == '0' {
		return 0, invalid, false
	}
	if i < len(b) && (b[i] == '.' || b[i]|0x20 == 'e') {
		return 0, invalid, false
	}
	if neg {
		n = -n
	}
	return n, i, true
}

const reservedKey = "_inngest"

// scanData returns the index after the object at b[i], or invalid if there is
// none. reserved says that it may have the key _inngest, which senders may not set.
func scanData(b []byte, i int) (end int, reserved bool) {
	if b[i] != '{' {
		return invalid, false
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, false
	}
	for {
		key, escaped, value := scanKey(b, i)
		if value == invalid {
			return invalid, false
		}
		if escaped || len(key) == len(reservedKey) && string(key) == reservedKey {
			reserved = true
		}
		if i = scanValue(b, value, 2); i == invalid {
			return invalid, false
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return invalid, false
		}
		if b[i] == '}' {
			return i + 1, reserved
		}
		if b[i] != ',' {
			return invalid, false
		}
		i = skipSpace(b, i+1)
	}
}
