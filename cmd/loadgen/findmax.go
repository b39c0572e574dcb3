package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ingot/loadgen"
	"ingot/loadgen/report"
	"ingot/loadgen/result"
	"ingot/loadgen/search"

	"github.com/urfave/cli/v3"
)

// defaultGoal is a bound on which most would agree.
const defaultGoal = "first_call p99 < 50ms"

func findMaxCommand() *cli.Command {
	return &cli.Command{
		Name:  "find-max",
		Usage: "Find the highest rate at which a server holds an objective",
		UsageText: `loadgen find-max --url http://localhost:8288 --workload steps --objective 'first_call p99 < 50ms'

   Rates are doubled from --from until one does not hold, then the interval is halved.
   Each probe is a run of its own, as with 'loadgen run --rate'.`,
		Flags: append(append(targetFlags(), planFlags()...),
			&cli.StringFlag{Name: "objective", Value: defaultGoal, Usage: "`bound` to hold; no errors, no loss and no growing backlog are implied"},
			&cli.Float64Flag{Name: "from", Value: 100, Usage: "events per second to begin with"},
			&cli.Float64Flag{Name: "to", Value: 1_000_000, Usage: "events per second to end with"},
			&cli.Float64Flag{Name: "precision", Value: search.DefaultPrecision, Usage: "relative width of the last interval"},
			&cli.IntFlag{Name: "confirm", Value: 1, Usage: "further probes that have to hold at the rate found"}),
		DisableSliceFlagSeparator: true, // as in compare
		Action:                    findMax,
	}
}

func findMax(ctx context.Context, cmd *cli.Command) error {
	plan, goal, err := planAndGoal(cmd)
	if err != nil {
		return err
	}
	if goal == nil {
		return errors.New("find-max needs an objective (objective)")
	}
	t, err := openTarget(ctx, cmd)
	if err != nil {
		return err
	}
	out, err := search.Max(ctx, search.Options{
		From: cmd.Float64("from"), To: cmd.Float64("to"), Precision: cmd.Float64("precision"), Confirm: cmd.Int("confirm"),
		Log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
		Probe: func(ctx context.Context, rate float64) (*result.Result, error) {
			p := plan
			p.Rate = rate
			r, err := loadgen.Run(ctx, p, t)
			if err != nil {
				return nil, err
			}
			r.Objective = goal.Check(r)
			return r, nil
		},
	})
	err = errors.Join(err, t.Close())
	w := cmd.Root().Writer
	if out.Best != nil {
		err = errors.Join(err, report.Text(w, out.Best))
	}
	fmt.Fprintf(w, "\nHighest rate that held: %s events/s. %s\n", report.Number(out.Rate), out.LimitedBy)
	if dir := cmd.String("out"); dir != "" && len(out.Probes) > 0 {
		err = errors.Join(err, report.Write(dir, out.Probes))
	}
	if err == nil && out.Rate == 0 {
		return fmt.Errorf("%w, not even at the lowest rate", errObjective)
	}
	return err
}
