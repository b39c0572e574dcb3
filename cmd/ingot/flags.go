package main

import (
	"fmt"

	"ingot/internal/config"

	"github.com/urfave/cli/v3"
)

const (
	categoryAdvanced = "Advanced"
	categoryAccepted = "Accepted for compatibility, without effect"
)

// logFlags are understood before and after the command's name.
func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "log JSON (the default if stdout is not a terminal)"},
		&cli.BoolFlag{Name: "verbose", Usage: "log level debug"},
		&cli.StringFlag{Name: "log-level", Aliases: []string{"l"}, Value: "info", Usage: "trace, debug, info, warn or error"},
	}
}

// devFlags are the reference's flags of `dev` (spec 06 §3) and ours.
func devFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "configuration `file` (JSON or YAML; also INNGEST_CONFIG)"},
		&cli.StringFlag{Name: "host", Usage: "host name or IP to listen on (default: all interfaces)"},
		&cli.IntFlag{Name: "port", Aliases: []string{"p"}, Value: config.DefaultPort, Usage: "port to listen on; the next free one if it is taken, 0 for any"},
		&cli.StringSliceFlag{Name: "sdk-url", Aliases: []string{"u"}, Usage: "`URL` of an app to sync; repeatable"},
		&cli.BoolFlag{Name: "no-discovery", Usage: "do not look for apps on local ports"},
		&cli.BoolFlag{Name: "no-poll", Usage: "do not sync known apps again and again"},
		&cli.StringFlag{Name: "data-dir", Value: config.DefaultDataDir, Usage: "`directory` of everything durable; a restart goes on where it was"},
		&cli.BoolFlag{Name: "ephemeral", Usage: "keep nothing: use a temporary directory that is removed at the end"},

		&cli.IntFlag{Name: "poll-interval", Category: categoryAdvanced, Value: 5, Usage: "`seconds` between two syncs of an app"},
		&cli.IntFlag{Name: "retry-interval", Category: categoryAdvanced, Usage: "`seconds` between two attempts, instead of the growing back-off"},
		&cli.IntFlag{Name: "queue-workers", Category: categoryAdvanced, Value: config.DefaultWorkers, Usage: "calls to apps that run at once"},
		&cli.StringFlag{Name: "sync", Category: categoryAdvanced, Value: string(config.SyncAlways), Usage: "flush step results to disk `always` or each interval; events are flushed before they are acknowledged either way"},
		&cli.IntFlag{Name: "max-backlog", Category: categoryAdvanced, Usage: "refuse events with 503 while so many `runs` are ready (default: no bound)"},
		&cli.IntFlag{Name: "max-function-backlog", Category: categoryAdvanced, Usage: "refuse a function's events with 429 while so many of its `runs` are ready (default: no bound)"},
		&cli.StringFlag{Name: "admin-addr", Category: categoryAdvanced, Usage: "serve profiles and figures at `HOST:PORT`, on loopback only (default: off)"},

		&cli.BoolFlag{Name: "persist", Category: categoryAccepted, Usage: "data is always durable"},
		&cli.IntFlag{Name: "tick", Category: categoryAccepted, Value: 150, Usage: "nothing polls"},
	}
	for _, f := range acceptedInts {
		flags = append(flags, &cli.IntFlag{Name: f.name, Value: f.value, Category: categoryAccepted, Hidden: true})
	}
	for _, name := range acceptedTexts {
		flags = append(flags, &cli.StringFlag{Name: name, Category: categoryAccepted, Hidden: true})
	}
	return flags
}

// Flags of the reference for what this version does not have; config warns
// about those that are given.
var (
	acceptedInts = []struct {
		name  string
		value int
	}{
		{"connect-gateway-port", 8289}, {"connect-gateway-grpc-port", 50052}, {"connect-executor-grpc-port", 50053},
		{"postgres-max-idle-conns", 10}, {"postgres-max-open-conns", 100},
		{"postgres-conn-max-idle-time", 5}, {"postgres-conn-max-lifetime", 30}, {"debug-api-port", 7777},
	}
	acceptedTexts = []string{
		"connect-gateway-grpc-ip", "connect-executor-grpc-ip", "sqlite-dir", "postgres-uri",
		"system-trace-endpoint", "system-trace-url-path",
	}
)

// givenFlags are the flags set on the command line, as texts.
func givenFlags(cmd *cli.Command) map[string][]string {
	given := map[string][]string{}
	for _, f := range cmd.Flags {
		name := f.Names()[0]
		if !cmd.IsSet(name) {
			continue
		}
		if list, ok := f.Get().([]string); ok {
			given[name] = list
			continue
		}
		given[name] = []string{fmt.Sprint(f.Get())}
	}
	return given
}

// givenLogFlags looks at the log flags of the command and of the root, so that
// they work in both places.
func givenLogFlags(cmd *cli.Command) config.LogFlags {
	f := config.LogFlags{Verbose: cmd.Bool("verbose"), JSON: cmd.Bool("json")}
	if cmd.IsSet("log-level") {
		f.Level = cmd.String("log-level")
	}
	return f
}
