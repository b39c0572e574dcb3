package event

import (
	"strconv"

	"ingot/internal/jcs"
)

const emptyObject = "{}"

// AppendJSON appends the event as functions see it, in canonical form (RFC 8785)
// with the keys data, id, meta, name, ts, user and v (spec 03 §3.1). meta is only
// there with sessions and v only if it is set; data and user are {} if they are
// empty.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"data":`...)
	dst = appendObject(dst, e.Data)
	dst = append(dst, `,"id":`...)
	if len(e.ID) > 0 {
		dst = appendString(dst, e.ID)
	} else {
		dst = append(dst, '"')
		dst = e.AppendInternalID(dst)
		dst = append(dst, '"')
	}
	if len(e.Sessions) > 0 {
		dst = append(dst, `,"meta":{"sessions":`...)
		dst = appendObject(dst, e.Sessions)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, e.Name)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, e.TS, 10)
	dst = append(dst, `,"user":`...)
	dst = appendObject(dst, e.User)
	if len(e.V) > 0 {
		dst = append(dst, `,"v":`...)
		dst = appendString(dst, e.V)
	}
	return append(dst, '}')
}

// AppendInternalID appends the text of the internal id, 26 characters.
func (e *Event) AppendInternalID(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, "00000000000000000000000000"...)
	_ = e.InternalID.MarshalTextTo(dst[n:]) // fails only for a wrong length
	return dst
}

func appendObject(dst, raw []byte) []byte {
	if len(raw) == 0 {
		return append(dst, emptyObject...)
	}
	out, err := jcs.Append(dst, raw)
	if err != nil {
		// The parser has validated raw, and internal events are made of valid parts.
		// Whoever reads this finds the bytes as they are rather than a lost event.
		return append(dst, raw...)
	}
	return out
}

// appendString appends s as a canonical JSON string: escapes only where JSON
// demands them, in the short form if there is one.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
