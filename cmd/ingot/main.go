// Command ingot is the server: `ingot dev` runs it for local development and
// `ingot start` for production, durably and with nothing else installed.
//
// What does not live here: the merging of settings (internal/config) and the
// server itself (internal/server).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// Set at link time: -ldflags "-X main.version=… -X main.hash=…".
var (
	version = "dev"
	hash    = ""
)

// Exit codes (spec 06 §5.3, §10.3).
const (
	exitError          = 1
	exitUnknownCommand = 3
	exitForced         = 130
)

func main() {
	time.Local = time.UTC // crons without a zone and log times (spec 06 §1.1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	handleSignals(stop)
	os.Exit(run(ctx, os.Args, streams{out: os.Stdout, err: os.Stderr,
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())), errTerminal: term.IsTerminal(int(os.Stderr.Fd()))}))
}

// handleSignals stops the server on the first signal and ends the process on the second.
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

// streams are where output goes: results and the banner to out, logs to err.
type streams struct {
	out, err                 io.Writer
	outTerminal, errTerminal bool
}

// versionText is `<version>-<hash>` (spec 06 §1.3).
func versionText() string { return version + "-" + hash }

// run is the whole program but for the process; it returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	code := 0
	unknown := func(_ context.Context, _ *cli.Command, name string) {
		fmt.Fprintf(s.err, "No help topic for '%s'\n", name)
		code = exitUnknownCommand
	}
	cli.VersionPrinter = func(*cli.Command) { fmt.Fprintf(s.out, "ingot version %s\n", versionText()) }
	root := &cli.Command{
		Name:            "ingot",
		Usage:           "An Inngest-compatible durable execution engine.",
		Version:         versionText(),
		Flags:           logFlags(),
		Commands:        []*cli.Command{devCommand(s), versionCommand(s), startCommand(s)},
		Writer:          s.out,
		ErrWriter:       s.err,
		CommandNotFound: unknown,
		OnUsageError:    usageError(s),
		ExitErrHandler:  func(context.Context, *cli.Command, error) {},
	}
	err := root.Run(ctx, args)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(s.out, err)
		return exitError
	}
	return code
}

// usageError tells what is wrong with the command line, without the whole help.
func usageError(s streams) cli.OnUsageErrorFunc {
	return func(_ context.Context, _ *cli.Command, err error, _ bool) error {
		fmt.Fprintf(s.err, "Incorrect Usage: %s\n\n", err)
		return err
	}
}

func versionCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "Print the version",
		Action: func(context.Context, *cli.Command) error {
			_, err := fmt.Fprintln(s.out, versionText())
			return err
		},
	}
}
