// Package logging makes the server's slog logger: readable lines for people,
// JSON for machines, and the reference's rules for choosing between them (spec
// 06 §2 and §17).
//
// What does not live here: what gets logged. Packages take a *slog.Logger.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Levels that slog does not name (spec 06 §17).
const (
	LevelTrace     = slog.Level(-8)
	LevelNotice    = slog.Level(2)
	LevelEmergency = slog.Level(12)
)

// Format is how a line looks.
type Format uint8

const (
	// FormatConsole is for people: time, level, message, key=value.
	FormatConsole Format = iota
	// FormatJSON is one object a line.
	FormatJSON
	// FormatText is logfmt.
	FormatText
)

// Options choose level and format.
type Options struct {
	Level  slog.Level
	Format Format
	// Color adds terminal colours to FormatConsole.
	Color bool
}

// New returns a logger that writes to w. Times are in UTC.
func New(w io.Writer, o Options) *slog.Logger {
	switch o.Format {
	case FormatJSON:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: o.Level, ReplaceAttr: replaceJSON}))
	case FormatText:
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: o.Level, ReplaceAttr: replaceJSON}))
	default:
		return slog.New(newConsole(w, o.Level, o.Color))
	}
}

// ParseLevel reads a level's name, ignoring case. As in the reference an unknown
// name is info; ok tells them apart.
func ParseLevel(s string) (level slog.Level, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "trace":
		return LevelTrace, true
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn", "warning":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	case "emergency":
		return LevelEmergency, true
	}
	return slog.LevelInfo, false
}

// ParseFormat reads the value of LOG_HANDLER, ignoring case.
func ParseFormat(s string) (f Format, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "json":
		return FormatJSON, true
	case "dev", "console":
		return FormatConsole, true
	case "txt", "text":
		return FormatText, true
	}
	return FormatConsole, false
}

// replaceJSON gives our extra levels their names, times their zone, and
// durations a form that people read ("1.5s", not 1500000000).
func replaceJSON(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && a.Key == slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			a.Value = slog.StringValue(levelName(l))
		}
	case a.Value.Kind() == slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format(time.RFC3339Nano))
	case a.Value.Kind() == slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "TRACE"
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < LevelNotice:
		return "INFO"
	case l < slog.LevelWarn:
		return "NOTICE"
	case l < slog.LevelError:
		return "WARN"
	case l < LevelEmergency:
		return "ERROR"
	}
	return "EMERGENCY"
}

// shortLevel is the label of the console format and its colour.
func shortLevel(l slog.Level) (label, color string) {
	switch {
	case l < slog.LevelDebug:
		return "TRC", "\x1b[90m"
	case l < slog.LevelInfo:
		return "DBG", "\x1b[90m"
	case l < LevelNotice:
		return "INF", "\x1b[32m"
	case l < slog.LevelWarn:
		return "NTC", "\x1b[36m"
	case l < slog.LevelError:
		return "WRN", "\x1b[33m"
	case l < LevelEmergency:
		return "ERR", "\x1b[31m"
	}
	return "EMR", "\x1b[1;31m"
}

// appendValue renders a value for the console, quoted when it has to be.
func appendValue(b []byte, v slog.Value) []byte {
	var s string
	switch v.Kind() {
	case slog.KindTime:
		s = v.Time().UTC().Format(time.RFC3339Nano)
	case slog.KindAny:
		s = fmt.Sprintf("%+v", v.Any())
	default:
		s = v.String()
	}
	if needsQuote(s) {
		return fmt.Appendf(b, "%q", s)
	}
	return append(b, s...)
}

func needsQuote(s string) bool {
	if s == "" {
		return true
	}
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '=' || r == 0x7f {
			return true
		}
	}
	return false
}
