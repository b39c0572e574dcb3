package main

import (
	"fmt"
	"slices"

	"ingot/internal/config"

	"github.com/urfave/cli/v3"
)

const (
	categoryPersistence = "Persistence"
	categoryAdvanced    = "Advanced"
	categoryAccepted    = "Accepted for compatibility, without effect"
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
	return slices.Concat(
		mainFlags("port to listen on; the next free one if it is taken, 0 for any"),
		[]cli.Flag{
			&cli.BoolFlag{Name: "no-discovery", Usage: "do not look for apps on local ports"},
			&cli.BoolFlag{Name: "no-poll", Usage: "do not sync known apps again and again"},
			&cli.BoolFlag{Name: "ephemeral", Usage: "keep nothing: use a temporary directory that is removed at the end"},
			&cli.BoolFlag{Name: "persist", Category: categoryAccepted, Usage: "data is always durable"},
		},
		advancedFlags("`seconds` between two syncs of an app", "2"),
		databaseFlags(true),
		accepted([]string{"debug-api-port"}, []string{"system-trace-endpoint", "system-trace-url-path"}),
	)
}

// startFlags are the reference's flags of `start` (spec 06 §4) and ours.
func startFlags() []cli.Flag {
	return slices.Concat(
		mainFlags("port to listen on; it must be free, 0 is any"),
		[]cli.Flag{
			&cli.StringFlag{Name: "signing-key", Usage: "`hex` key that apps and this server share (required)"},
			&cli.StringFlag{Name: "signing-key-fallback", Usage: "`hex` key that callers may still use, while keys are changed"},
			&cli.StringSliceFlag{Name: "event-key", Usage: "`key` for sending events (required); repeatable"},
			&cli.BoolFlag{Name: "no-ui", Category: categoryAdvanced, Usage: "no web UI and no GraphQL API"},
			&cli.StringFlag{Name: "redis-uri", Category: categoryPersistence, Hidden: true},
		},
		advancedFlags("sync known apps again after so many `seconds` (default: only those with an error, every 5)", "no bound"),
		databaseFlags(false),
	)
}

func mainFlags(port string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "configuration `file` (JSON, YAML or TOML; also INNGEST_CONFIG)"},
		&cli.BoolFlag{Name: "print-config", Usage: "print each setting with its source, and end"},
		&cli.StringFlag{Name: "host", Usage: "host name or IP to listen on (default: all interfaces)"},
		&cli.IntFlag{Name: "port", Aliases: []string{"p"}, Value: config.DefaultPort, Usage: port},
		&cli.StringSliceFlag{Name: "sdk-url", Aliases: []string{"u"}, Usage: "`URL` of an app to sync; repeatable"},
		&cli.StringFlag{Name: "data-dir", Category: categoryPersistence, Usage: "`directory` of everything durable; a restart goes on where it was", DefaultText: config.DefaultDataDir + ", or ingot in sqlite-dir"},
	}
}

func advancedFlags(poll, grace string) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "poll-interval", Usage: poll, DefaultText: "5"},
		&cli.StringFlag{Name: "retry-interval", Usage: "`seconds` between two attempts, instead of the growing back-off"},
		&cli.IntFlag{Name: "queue-workers", Value: config.DefaultWorkers, Usage: "calls to apps that run at once"},
		&cli.StringFlag{Name: "request-timeout", Usage: "`seconds` that one call to an app may take", DefaultText: "7200"},
		&cli.StringFlag{Name: "sync", Value: string(config.SyncAlways), Usage: "flush step results to disk `always` or each interval; events are flushed before they are acknowledged either way"},
		&cli.IntFlag{Name: "max-backlog", Usage: "refuse events with 503 while so many `runs` are ready (default: no bound)"},
		&cli.IntFlag{Name: "max-function-backlog", Usage: "refuse a function's events with 429 while so many of its `runs` are ready (default: no bound)"},
		&cli.StringFlag{Name: "shutdown-grace-period", Usage: "`seconds` that calls to apps may take to end when the server stops; 0 is no bound", DefaultText: grace},
		&cli.StringFlag{Name: "admin-addr", Usage: "serve profiles and figures at `HOST:PORT`, on loopback only (default: off)"},
	}
	for _, f := range flags {
		setCategory(f, categoryAdvanced)
	}
	return append(flags, accepted(
		[]string{"tick", "connect-gateway-port", "connect-gateway-grpc-port", "connect-executor-grpc-port"},
		[]string{"connect-gateway-grpc-ip", "connect-executor-grpc-ip"})...)
}

// databaseFlags say where history goes; the reference hides them in dev.
func databaseFlags(hidden bool) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "sqlite-dir", Category: categoryPersistence, Hidden: hidden, Usage: "`directory` of the SQLite database with the history"},
		&cli.StringFlag{Name: "postgres-uri", Category: categoryPersistence, Hidden: hidden, Usage: "keep the history in Postgres, at this `URI`"},
		&cli.IntFlag{Name: "postgres-max-idle-conns", Category: categoryPersistence, Hidden: hidden, Value: 10, Usage: "idle connections to Postgres that are kept"},
		&cli.IntFlag{Name: "postgres-max-open-conns", Category: categoryPersistence, Hidden: hidden, Value: 100, Usage: "connections to Postgres in all"},
		&cli.StringFlag{Name: "postgres-conn-max-idle-time", Category: categoryPersistence, Hidden: hidden, DefaultText: "5", Usage: "`minutes` that an idle connection is kept"},
		&cli.StringFlag{Name: "postgres-conn-max-lifetime", Category: categoryPersistence, Hidden: hidden, DefaultText: "30", Usage: "`minutes` that a connection is used"},
		&cli.StringFlag{Name: "history-run-age", Category: categoryPersistence, Usage: "delete runs from the history that ended so many `hours` ago (default: keep all)"},
		&cli.IntFlag{Name: "history-run-count", Category: categoryPersistence, Usage: "keep so many `runs` of those that ended last (default: all)"},
		&cli.StringFlag{Name: "history-event-age", Category: categoryPersistence, Usage: "delete events from the history that came so many `hours` ago (default: keep all)"},
		&cli.IntFlag{Name: "history-event-count", Category: categoryPersistence, Usage: "keep so many of the newest `events` (default: all)"},
		&cli.BoolFlag{Name: "history-dry-run", Category: categoryPersistence, Usage: "only log what would be deleted"},
	}
}

func setCategory(f cli.Flag, category string) {
	switch f := f.(type) {
	case *cli.StringFlag:
		f.Category = category
	case *cli.IntFlag:
		f.Category = category
	}
}

// accepted are flags of the reference for what this version does not have; config warns
// about those that are given and matter.
func accepted(ints, texts []string) (flags []cli.Flag) {
	for _, name := range ints {
		flags = append(flags, &cli.IntFlag{Name: name, Category: categoryAccepted, Hidden: true})
	}
	for _, name := range texts {
		flags = append(flags, &cli.StringFlag{Name: name, Category: categoryAccepted, Hidden: true})
	}
	return flags
}

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
