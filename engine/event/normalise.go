package event

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// The range of ts in unix ms: from 1980 to 2100, both included.
var (
	minTS = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	maxTS = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// maxNanoTS is the last ts whose nanoseconds fit an int64. The reference counts
// in those, so that it takes a later one for a time long ago.
const maxNanoTS = math.MaxInt64 / int64(time.Millisecond)

// normalise fills in defaults and checks what a sender may send, in the
// reference's order (spec 03 §3.3). now is the time of receipt in unix ms.
// data._inngest is already gone, and Sessions still holds the raw meta.
func (e *Event) normalise(now int64) error {
	if reservedName(e.Name) {
		return fmt.Errorf("event name is reserved for internal use: %s", e.Name)
	}
	return e.complete(now)
}

// complete is normalise without the check of the name.
func (e *Event) complete(now int64) error {
	e.ReceivedAt = now
	if e.TS == 0 {
		e.TS = now
	}
	var sessions []session
	if len(e.Sessions) > 0 {
		var err error
		if sessions, err = mergeSessions(e.Sessions); err != nil {
			return err
		}
	}
	switch {
	case len(e.Name) == 0:
		return ErrNameEmpty
	case e.TS < minTS || e.TS > maxNanoTS:
		return ErrTooEarly
	case e.TS > maxTS:
		return ErrTooLate
	}
	if err := checkSessions(sessions); err != nil {
		return err
	}
	e.Sessions = appendSessions(sessions)
	return nil
}

// reservedName reports whether name begins with InternalPrefix, ignoring case.
func reservedName(name []byte) bool {
	if len(name) < len(InternalPrefix) {
		return false
	}
	for i, c := range name[:len(InternalPrefix)] {
		if c >= utf8.RuneSelf {
			// Some letters outside of ASCII have lower-case forms inside. The
			// longest rune has four bytes, so the head holds enough of them.
			head := name[:min(len(name), utf8.UTFMax*len(InternalPrefix))]
			return strings.HasPrefix(strings.ToLower(string(head)), InternalPrefix)
		}
		if lower(c) != InternalPrefix[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
