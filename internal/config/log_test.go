package config

import (
	"log/slog"
	"slices"
	"testing"

	"ingot/internal/logging"
)

func TestLogOptions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		flags LogFlags
		env   func(string) string
		file  *File
		out   bool
		want  logging.Options
	}{
		{"terminal", LogFlags{}, env(), nil, true, logging.Options{Level: slog.LevelInfo, Color: true}},
		{"no colour", LogFlags{}, env("NO_COLOR", "1"), nil, true, logging.Options{Level: slog.LevelInfo}},
		{"no terminal", LogFlags{}, env("LOG_HANDLER", "dev"), nil, false, logging.Options{Format: logging.FormatJSON, Color: true}},
		{"no terminal, chosen", LogFlags{}, env("INNGEST_LOG_FORMAT", "text"), nil, false, logging.Options{Format: logging.FormatText, Color: true}},
		{"flags", LogFlags{Level: "error", Verbose: true, JSON: true}, env("INNGEST_LOG_LEVEL", "warn"), nil, true, logging.Options{Level: slog.LevelError, Format: logging.FormatJSON, Color: true}},
		{"verbose", LogFlags{Verbose: true}, env("LOG_HANDLER", "TXT"), nil, true, logging.Options{Level: slog.LevelDebug, Format: logging.FormatText, Color: true}},
		{"LOG_LEVEL beats flags", LogFlags{Level: "error"}, env("LOG_LEVEL", "trace"), nil, true, logging.Options{Level: logging.LevelTrace, Color: true}},
		{"unknown is info", LogFlags{Level: "loud"}, env("INNGEST_JSON", "true"), nil, true, logging.Options{Format: logging.FormatJSON, Color: true}},
		{"variables", LogFlags{}, env("INNGEST_LOG_LEVEL", "warn"), nil, true, logging.Options{Level: slog.LevelWarn, Color: true}},
		{"verbose variable", LogFlags{}, env("INNGEST_VERBOSE", "true"), nil, true, logging.Options{Level: slog.LevelDebug, Color: true}},
		{"file", LogFlags{}, env("LOG_HANDLER", "dev"), inFile("log-level", "debug", "log-format", "text"), false, logging.Options{Level: slog.LevelDebug, Format: logging.FormatText, Color: true}},
		{"file, flat", LogFlags{}, env(), inFile("verbose", "true", "json", "true"), true, logging.Options{Level: slog.LevelDebug, Format: logging.FormatJSON, Color: true}},
		{"variables beat the file", LogFlags{}, env("INNGEST_LOG_LEVEL", "warn", "INNGEST_JSON", "true"), inFile("log-level", "debug", "log-format", "text"), true, logging.Options{Level: slog.LevelWarn, Format: logging.FormatJSON, Color: true}},
	} {
		got, _ := LogOptions(LogSources{Flags: tc.flags, Getenv: tc.env, File: tc.file, OutTerminal: tc.out, ErrTerminal: true})
		if got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestLogSettings(t *testing.T) {
	t.Parallel()
	_, got := LogOptions(LogSources{Getenv: env("LOG_LEVEL", "warn"), File: inFile("log-level", "debug", "log-format", "text")})
	want := []Setting{{"log-level", "warn", "env LOG_LEVEL"}, {"log-format", "text", "file inngest.yaml"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, got = LogOptions(LogSources{Getenv: env("INNGEST_LOG_FORMAT", "auto")})
	want = []Setting{{"log-level", "info", "default"}, {"log-format", "json", "default without a terminal"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
