package main

import (
	"encoding"
	"fmt"
	"os"
	"strconv"
	"strings"

	"ingot/loadgen"
	"ingot/loadgen/flow"

	"github.com/urfave/cli/v3"
)

const (
	categoryWork     = "What is done"
	categoryPace     = "How fast and how long"
	categoryHeld     = "In the background"
	categoryServer   = "How the server is spoken to"
	categoryFlow     = "Flow control of the functions (the workload's own values if not given)"
	categoryBehavior = "Shape of a run (the workload's own values if not given)"
)

// planFlags are the flags from which planOf makes a plan.
func planFlags() []cli.Flag {
	d := loadgen.DefaultPlan()
	return []cli.Flag{
		&cli.StringFlag{Name: "workload", Aliases: []string{"w"}, Category: categoryWork, Value: d.Workload, Usage: "`name` of what is done; `loadgen workloads` lists them"},
		&cli.StringFlag{Name: "file", Category: categoryWork, Usage: "`file` of the workloads mix (YAML) and replay (NDJSON)"},
		&cli.IntFlag{Name: "batch", Category: categoryWork, Value: d.Batch, Usage: "events per request"},
		&cli.BoolFlag{Name: "gzip", Category: categoryWork, Usage: "compress requests with events"},
		&cli.BoolFlag{Name: "event-id", Category: categoryWork, Usage: "give events ids, so that the server looks for duplicates"},
		&cli.Uint64Flag{Name: "seed", Category: categoryWork, Value: d.Seed, Usage: "of everything that is random"},

		&cli.Float64Flag{Name: "rate", Aliases: []string{"r"}, Category: categoryPace, Usage: "events per second, whatever the server does (open loop); without it each client sends when its last request was answered (closed loop)"},
		&cli.StringFlag{Name: "pacing", Category: categoryPace, Usage: "constant, poisson, ramp:FROM-TO, steps:R1,R2,.. or spike:BASE-PEAK/EVERY/LENGTH; its rates in requests per second"},
		&cli.IntFlag{Name: "clients", Aliases: []string{"c"}, Category: categoryPace, Value: d.Clients, Usage: "connections that send events"},
		&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Category: categoryPace, Usage: "end after so many events"},
		&cli.DurationFlag{Name: "warm-up", Category: categoryPace, Value: d.WarmUp, Usage: "load before the window, not counted"},
		&cli.DurationFlag{Name: "duration", Aliases: []string{"d"}, Category: categoryPace, Value: d.Duration, Usage: "length of the window; with --count its bound is 10 minutes if this is not given"},
		&cli.DurationFlag{Name: "drain", Category: categoryPace, Value: d.Drain, Usage: "how long runs may take to complete after the window before they are lost"},
		&cli.DurationFlag{Name: "timeout", Category: categoryPace, Value: d.Timeout, Usage: "of one request"},
		&cli.DurationFlag{Name: "late", Category: categoryPace, Value: d.Late, Usage: "a run that took longer is counted as late"},
		&cli.Int64Flag{Name: "max-events", Category: categoryPace, Value: d.MaxEvents, Usage: "bound of events per measurement (32 bytes of memory each)"},

		&cli.IntFlag{Name: "steps", Category: categoryBehavior, Usage: "steps of a run, branches of a fan-out, depth of an invoke chain"},
		&cli.IntFlag{Name: "size", Category: categoryBehavior, Usage: "`bytes` of one event"},
		&cli.IntFlag{Name: "output", Category: categoryBehavior, Usage: "`bytes` that each step returns"},
		&cli.DurationFlag{Name: "think", Category: categoryBehavior, Usage: "time that the app takes for each step"},
		&cli.DurationFlag{Name: "sleep", Category: categoryBehavior, Usage: "length of a sleep"},
		&cli.IntFlag{Name: "failures", Category: categoryBehavior, Usage: "times that each step fails before it succeeds"},
		&cli.DurationFlag{Name: "retry-after", Category: categoryBehavior, Usage: "after which a failed step is to be tried again (whole seconds)"},
		&cli.DurationFlag{Name: "resume-after", Category: categoryBehavior, Usage: "from a reported wait to the event that ends it"},
		&cli.BoolFlag{Name: "checkpoint", Category: categoryBehavior, Usage: "the app posts steps as they are done, all in one call"},
		&cli.IntFlag{Name: "functions", Category: categoryBehavior, Usage: "functions that share the events"},
		&cli.Float64Flag{Name: "skew", Category: categoryBehavior, Usage: "exponent of a Zipf distribution of the events over the functions"},

		&cli.IntFlag{Name: "keys", Category: categoryFlow, Usage: "keys that the events have in turn; what follows is by key then"},
		&cli.IntFlag{Name: "limit", Category: categoryFlow, Usage: "calls at once of each function"},
		&cli.StringFlag{Name: "scope", Category: categoryFlow, Usage: "of --limit: fn, or env or account for all functions together"},
		&cli.IntFlag{Name: "run-limit", Category: categoryFlow, Usage: "runs at once of each function"},
		&cli.StringFlag{Name: "throttle", Category: categoryFlow, Usage: "`LIMIT/PERIOD[+BURST]` of starts, such as 100/1s+10; one that is never reached, 1000000/1s, shows the cost"},
		&cli.StringFlag{Name: "rate-limit", Category: categoryFlow, Usage: "`LIMIT/PERIOD` of events that start a run"},
		&cli.StringFlag{Name: "debounce", Category: categoryFlow, Usage: "`PERIOD[/TIMEOUT]` without an event until the last one starts a run"},
		&cli.StringFlag{Name: "batch-events", Category: categoryFlow, Usage: "`SIZE/TIMEOUT` of the events of one run"},
		&cli.StringFlag{Name: "singleton", Category: categoryFlow, Usage: "one run at once: skip events meanwhile, or cancel the run"},
		&cli.IntFlag{Name: "priority", Category: categoryFlow, Usage: "`seconds` that each tenth event is ahead of the others"},

		&cli.StringSliceFlag{Name: "hold", Category: categoryHeld, Usage: "sleeping=N, waiting=N, queued=N or functions=N put in place before the measurement"},

		&cli.StringFlag{Name: "event-key", Category: categoryServer, Value: d.EventKey, Usage: "key of the event API"},
		&cli.StringFlag{Name: "signing-key", Category: categoryServer, Usage: "for servers that ask for it"},
		&cli.StringFlag{Name: "app-url", Category: categoryServer, Usage: "`URL` of a real app, which is asked to register, instead of the built-in one; only requests are measured then"},
		&cli.StringFlag{Name: "event", Category: categoryServer, Usage: "`name` of the events for the real app"},
		&cli.StringFlag{Name: "redis", Category: categoryServer, Usage: "`URL` of a Redis whose commands are counted"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no line a second that says how it goes"},
	}
}

// planOf reads the flags of planFlags.
func planOf(cmd *cli.Command) (loadgen.Plan, error) {
	p := loadgen.DefaultPlan()
	p.Command = strings.Join(append([]string{"loadgen"}, os.Args[min(1, len(os.Args)):]...), " ")
	p.Workload, p.File = cmd.String("workload"), cmd.String("file")
	p.Batch, p.Gzip, p.EventID, p.Seed = cmd.Int("batch"), cmd.Bool("gzip"), cmd.Bool("event-id"), cmd.Uint64("seed")
	p.Rate, p.Pacing, p.Clients, p.Count = cmd.Float64("rate"), cmd.String("pacing"), cmd.Int("clients"), cmd.Int64("count")
	p.WarmUp, p.Duration, p.Drain = cmd.Duration("warm-up"), cmd.Duration("duration"), cmd.Duration("drain")
	p.Timeout, p.Late, p.MaxEvents = cmd.Duration("timeout"), cmd.Duration("late"), cmd.Int64("max-events")
	if p.Count > 0 && !cmd.IsSet("duration") {
		p.Duration = countBound
	}
	p.Shape = loadgen.Shape{
		Steps: cmd.Int("steps"), Size: cmd.Int("size"), Output: cmd.Int("output"), Think: cmd.Duration("think"),
		Sleep: cmd.Duration("sleep"), Failures: cmd.Int("failures"), RetryAfter: cmd.Duration("retry-after"),
		ResumeAfter: cmd.Duration("resume-after"), Checkpoint: cmd.Bool("checkpoint"),
		Functions: cmd.Int("functions"), Skew: cmd.Float64("skew"),
	}
	var err error
	if p.Shape.Flow, err = flowOf(cmd); err != nil {
		return p, err
	}
	p.EventKey, p.SigningKey = cmd.String("event-key"), cmd.String("signing-key")
	p.AppURL, p.Event, p.Redis = cmd.String("app-url"), cmd.String("event"), cmd.String("redis")
	p.AllowRemote = cmd.Bool("allow-remote")
	if !cmd.Bool("quiet") {
		p.Progress = os.Stderr
	}
	for _, text := range cmd.StringSlice("hold") {
		for one := range strings.SplitSeq(text, ",") {
			if err := addHold(&p.Hold, one); err != nil {
				return p, err
			}
		}
	}
	return p, p.Validate()
}

// flowOf reads the flags of flow control.
func flowOf(cmd *cli.Command) (flow.Config, error) {
	c := flow.Config{Keys: cmd.Int("keys"), Limit: cmd.Int("limit"), Scope: cmd.String("scope"), RunLimit: cmd.Int("run-limit"),
		Singleton: cmd.String("singleton"), Priority: cmd.Int("priority")}
	for _, f := range []struct {
		name string
		into encoding.TextUnmarshaler
	}{{"throttle", &c.Throttle}, {"rate-limit", &c.RateLimit}, {"debounce", &c.Debounce}, {"batch-events", &c.Batch}} {
		if text := cmd.String(f.name); text != "" {
			if err := f.into.UnmarshalText([]byte(text)); err != nil {
				return c, fmt.Errorf("%s %w", f.name, err)
			}
		}
	}
	return c, nil
}

// addHold reads one "sleeping=100000".
func addHold(h *loadgen.Hold, text string) error {
	name, value, _ := strings.Cut(text, "=")
	fields := map[string]*int{"sleeping": &h.Sleeping, "waiting": &h.Waiting, "queued": &h.Queued, "functions": &h.Functions}
	field := fields[strings.TrimSpace(name)]
	if field == nil {
		return fmt.Errorf("hold %q: it must be sleeping=N, waiting=N, queued=N or functions=N", text)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(value, "_", ""))
	if err != nil {
		return fmt.Errorf("hold %q: its number: %w", text, err)
	}
	*field = n
	return nil
}
