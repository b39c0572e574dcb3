package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ingot/loadgen"
	"ingot/loadgen/compare"
	"ingot/loadgen/report"
	"ingot/loadgen/result"
	"ingot/loadgen/target"

	"github.com/urfave/cli/v3"
)

// defaultRounds is enough to tell a difference of a few percent on a quiet machine.
const defaultRounds = 5

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "Measure several servers in interleaved rounds and say what differs",
		UsageText: "loadgen compare --target a=http://127.0.0.1:8288 --target b='ingot dev --port {port} --data-dir {dir}' --workload steps",
		Description: "The other targets are compared with the first. A target that is given as a command is started\n" +
			"clean for each round; one that is given as a URL is used as it is.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "`NAME=URL-or-command`; at least two, and the first is the base"},
			&cli.IntFlag{Name: "rounds", Value: defaultRounds, Usage: "how often each target is measured, A B B A"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`directory` for results, verdicts and a page"},
			&cli.BoolFlag{Name: "allow-remote", Usage: "permit URLs of other machines"},
			&cli.BoolFlag{Name: "server-log", Usage: "show what commanded servers print"},
		}, planFlags()...),
		// A command line may hold commas.
		DisableSliceFlagSeparator: true,
		Action:                    runCompare,
	}
}

func runCompare(ctx context.Context, cmd *cli.Command) error {
	plan, err := planOf(cmd)
	if err != nil {
		return err
	}
	specs := map[string]target.Spec{}
	var names []string
	for _, text := range cmd.StringSlice("target") {
		spec, err := target.Parse(text)
		if err != nil {
			return err
		}
		specs[spec.Name], names = spec, append(names, spec.Name)
	}
	options := target.Options{AllowRemote: cmd.Bool("allow-remote")}
	if cmd.Bool("server-log") {
		options.Log = os.Stderr
	}
	c, err := compare.Run(ctx, compare.Config{
		Targets: names, Rounds: cmd.Int("rounds"),
		Progress: func(text string) {
			if plan.Progress != nil {
				fmt.Fprintln(plan.Progress, text)
			}
		},
		Measure: func(ctx context.Context, name string, _ int) (*result.Result, error) {
			return measure(ctx, plan, specs[name], options)
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(showComparison(cmd.Root().Writer, cmd.String("out"), c), failed(c), broken(c.Results...))
}

// measure opens a target, measures it and closes it again.
func measure(ctx context.Context, plan loadgen.Plan, spec target.Spec, options target.Options) (*result.Result, error) {
	t, err := spec.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	r, err := loadgen.Run(ctx, plan, t)
	return r, errors.Join(err, t.Close())
}

// showComparison saves a comparison, then shows it: whoever reads what is shown may
// stop reading.
func showComparison(w io.Writer, dir string, c *compare.Comparison) error {
	if dir != "" {
		if err := report.WriteComparison(dir, c); err != nil {
			return err
		}
	}
	return report.ComparisonText(w, c)
}

// failed makes the program's exit code tell that measurements failed.
func failed(c *compare.Comparison) error {
	if len(c.Failures) == 0 {
		return nil
	}
	f := c.Failures[0]
	return fmt.Errorf("%d measurements failed, the first of %s in round %d: %s", len(c.Failures), f.Target, f.Round, f.Error)
}
