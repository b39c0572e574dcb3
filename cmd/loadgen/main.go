// Command loadgen measures servers that speak the public protocol: how fast they
// take events and run functions, what that costs them, and whether anything is lost.
//
// What does not live here: the measuring (package loadgen and those below it).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"
)

// countBound ends a run that is bounded by a count of events, if nothing else does.
const countBound = 10 * time.Minute

// Exit codes.
const (
	exitError     = 1
	exitObjective = 3 // the objective was not met
	exitForced    = 130
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	handleSignals(stop)
	code := run(ctx, os.Args)
	stop()
	os.Exit(code)
}

// handleSignals ends the measurement on the first signal, with its report, and the
// process on the second.
func handleSignals(stop context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals
		os.Exit(exitForced)
	}()
}

// run is the whole program but for the process; it returns the exit code.
func run(ctx context.Context, args []string) int {
	root := &cli.Command{
		Name:           "loadgen",
		Usage:          "Measure servers that speak the Inngest protocol",
		UsageText:      "loadgen run --url http://localhost:8288 --workload steps --rate 100",
		Description:    about,
		Commands:       []*cli.Command{runCommand(), findMaxCommand(), compareCommand(), reportCommand(), capacityCommand(), workloadsCommand(), emptyServerCommand()},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	err := root.Run(ctx, args)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errObjective):
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		return exitObjective
	}
	fmt.Fprintln(os.Stderr, "loadgen:", err)
	return exitError
}

const about = `loadgen sends events to a server and is the app whose functions the server calls. It needs
nothing but the server's URL, or a command that starts it. Every event carries a number, so
the report says how many runs were lost, doubled or late.

With --rate the load is open: events are due at their times whatever the server does, and
latencies count from those times. Without it the loop is closed: each of --clients sends when
its last request was answered; with --count that is a flood, from the first event to the end
of the last run.

Start with 'loadgen workloads' and 'loadgen run --help'.`
