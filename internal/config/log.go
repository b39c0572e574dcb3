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

// LogOptions applies the rules of spec 06 §2 and §8.1. file may be nil; outTerminal and
// errTerminal say whether stdout and stderr (where the log goes) are terminals.
func LogOptions(f LogFlags, getenv func(string) string, file *File, outTerminal, errTerminal bool) logging.Options {
	o := logging.Options{Level: logLevel(f, getenv, file), Color: errTerminal && getenv("NO_COLOR") == ""}
	format, chosen := logging.ParseFormat(getenv("INNGEST_LOG_FORMAT"))
	inFile, chosenInFile := logging.ParseFormat(file.value("log-format"))
	switch {
	case f.JSON || envTrue(getenv, "INNGEST_JSON"):
		o.Format = logging.FormatJSON
	case chosen:
		o.Format = format
	case chosenInFile:
		o.Format = inFile
	case !outTerminal || isBool(file.value("json")):
		o.Format = logging.FormatJSON
	default:
		o.Format, _ = logging.ParseFormat(getenv("LOG_HANDLER"))
	}
	return o
}

// logLevel: LOG_LEVEL beats the flags, which beat the INNGEST_ variables, which beat the
// file.
func logLevel(f LogFlags, getenv func(string) string, file *File) slog.Level {
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
	case file.value("log-level") != "":
		name = file.value("log-level")
	case isBool(file.value("verbose")):
		name = "debug"
	}
	level, _ := logging.ParseLevel(name)
	return level
}

// value is the value of a key in a file; empty if it, or the file, is not there.
func (f *File) value(key string) string {
	if f == nil {
		return ""
	}
	return last(f.Values[key])
}

func envTrue(getenv func(string) string, name string) bool { return isBool(getenv(name)) }

func isBool(text string) bool {
	b, err := strconv.ParseBool(text)
	return err == nil && b
}
