package config

import (
	"log/slog"
	"strconv"

	"ingot/internal/logging"
)

// LogFlags are the log flags given on the command line.
type LogFlags struct {
	// Level is --log-level; empty if not given.
	Level   string
	Verbose bool
	JSON    bool
}

// LogOptions applies the rules of spec 06 §2. outTerminal and errTerminal say
// whether stdout and stderr (where the log goes) are terminals.
func LogOptions(f LogFlags, getenv func(string) string, outTerminal, errTerminal bool) logging.Options {
	o := logging.Options{Level: logLevel(f, getenv), Color: errTerminal && getenv("NO_COLOR") == ""}
	format, chosen := logging.ParseFormat(getenv("INNGEST_LOG_FORMAT"))
	switch {
	case f.JSON || envTrue(getenv, "INNGEST_JSON"):
		o.Format = logging.FormatJSON
	case chosen:
		o.Format = format
	case !outTerminal:
		o.Format = logging.FormatJSON
	default:
		o.Format, _ = logging.ParseFormat(getenv("LOG_HANDLER"))
	}
	return o
}

// logLevel: LOG_LEVEL beats the flags, which beat the INNGEST_ variables.
func logLevel(f LogFlags, getenv func(string) string) slog.Level {
	name := getenv("LOG_LEVEL")
	switch {
	case name != "":
	case f.Level != "":
		name = f.Level
	case f.Verbose:
		name = "debug"
	case getenv("INNGEST_LOG_LEVEL") != "":
		name = getenv("INNGEST_LOG_LEVEL")
	case envTrue(getenv, "INNGEST_VERBOSE"):
		name = "debug"
	}
	level, _ := logging.ParseLevel(name)
	return level
}

func envTrue(getenv func(string) string, name string) bool {
	b, err := strconv.ParseBool(getenv(name))
	return err == nil && b
}
