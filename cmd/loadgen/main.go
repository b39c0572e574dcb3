// Command loadgen measures servers that speak the public protocol: how fast they
// take events and run functions, what that costs them, and whether anything is lost.
//
// What does not live here: the measuring (package loadgen and those below it).
package main

import (
	"context"
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
		Commands:       []*cli.Command{compareCommand(), reportCommand(), capacityCommand()},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	if err := root.Run(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		return exitError
	}
	return 0
}
