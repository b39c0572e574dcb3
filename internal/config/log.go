package config

import (
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

// LogSources are where the settings of the log come from. Their order of strength is
// their own (spec 06 §2, §8.1).
type LogSources struct {
	Flags  LogFlags
	Getenv func(string) string
	File   *File // nil if there is none
	// OutTerminal and ErrTerminal say whether stdout and stderr (where the log goes) are
	// terminals.
	OutTerminal, ErrTerminal bool
}

// LogOptions are what the sources ask for; the settings are for print-config.
func LogOptions(src LogSources) (logging.Options, []Setting) {
	level, format := src.level(), src.format()
	o := logging.Options{Color: src.ErrTerminal && src.Getenv("NO_COLOR") == ""}
	o.Level, _ = logging.ParseLevel(level.value)
	o.Format, _ = logging.ParseFormat(format.value)
	return o, []Setting{
		{Key: "log-level", Value: level.value, Source: level.source},
		{Key: "log-format", Value: format.value, Source: format.source},
	}
}

// choice is a value, empty if its source has none.
type choice struct{ value, source string }

// strongest is the first choice with a value.
func strongest(choices ...choice) choice {
	for _, c := range choices {
		if c.value != "" {
			return c
		}
	}
	return choice{}
}

// LOG_LEVEL beats the flags, which beat the INNGEST_ variables, which beat the file.
func (s LogSources) level() choice {
	return strongest(
		s.env("LOG_LEVEL"),
		choice{s.Flags.Level, "flag --log-level"},
		choice{when(s.Flags.Verbose, "debug"), "flag --verbose"},
		s.env("INNGEST_LOG_LEVEL"),
		choice{when(envTrue(s.Getenv, "INNGEST_VERBOSE"), "debug"), "env INNGEST_VERBOSE"},
		s.inFile("log-level"),
		choice{when(isTrueText(s.inFile("verbose").value), "debug"), s.inFile("verbose").source},
		choice{"info", sourceDefault},
	)
}

// Without a terminal the log is JSON, unless ours asked for something else.
func (s LogSources) format() choice {
	return strongest(
		choice{when(s.Flags.JSON, "json"), "flag --json"},
		choice{when(envTrue(s.Getenv, "INNGEST_JSON"), "json"), "env INNGEST_JSON"},
		knownFormat(s.env("INNGEST_LOG_FORMAT")),
		knownFormat(s.inFile("log-format")),
		choice{when(!s.OutTerminal, "json"), "default without a terminal"},
		choice{when(isTrueText(s.inFile("json").value), "json"), s.inFile("json").source},
		knownFormat(s.env("LOG_HANDLER")),
		choice{"console", sourceDefault},
	)
}

func (s LogSources) env(name string) choice { return choice{s.Getenv(name), "env " + name} }

func (s LogSources) inFile(key string) choice {
	if s.File == nil {
		return choice{}
	}
	return choice{last(s.File.Values[key]), "file " + s.File.Path}
}

// knownFormat passes over formats that nobody knows, and over "auto".
func knownFormat(c choice) choice {
	if _, ok := logging.ParseFormat(c.value); !ok {
		return choice{}
	}
	return c
}

func when(condition bool, value string) string {
	if condition {
		return value
	}
	return ""
}

func envTrue(getenv func(string) string, name string) bool { return isTrueText(getenv(name)) }

func isTrueText(text string) bool {
	b, err := strconv.ParseBool(text)
	return err == nil && b
}
