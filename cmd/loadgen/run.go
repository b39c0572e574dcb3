package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ingot/loadgen"
	"ingot/loadgen/objective"
	"ingot/loadgen/report"
	"ingot/loadgen/result"
	"ingot/loadgen/target"

	"github.com/urfave/cli/v3"
)

// errObjective is the end of a run that went well and did not meet its objective.
var errObjective = errors.New("the objective was not met")

const categoryTarget = "What is measured"

// targetFlags say which server is measured.
func targetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "url", Category: categoryTarget, Usage: "`URL` of a server that runs"},
		&cli.StringFlag{Name: "command", Category: categoryTarget, Usage: "`command` line that starts one, in a fresh directory; {port} and {dir} are replaced"},
		&cli.StringFlag{Name: "target", Category: categoryTarget, Usage: "`NAME=`URL or command, as in compare"},
		&cli.BoolFlag{Name: "allow-remote", Category: categoryTarget, Usage: "permit a server on another machine"},
		&cli.BoolFlag{Name: "server-log", Category: categoryTarget, Usage: "show what a started server writes"},
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`directory` for the report: JSON, .hgrm, CSV and HTML"},
	}
}

// openTarget reads the flags of targetFlags.
func openTarget(ctx context.Context, cmd *cli.Command) (*target.Target, error) {
	text, given := "", 0
	for _, name := range []string{"url", "command", "target"} {
		if v := cmd.String(name); v != "" {
			given++
			if text = v; name != "target" {
				text = "server=" + v
			}
		}
	}
	if given != 1 {
		return nil, errors.New("name the server with one of --url, --command and --target")
	}
	spec, err := target.Parse(text)
	if err != nil {
		return nil, err
	}
	o := target.Options{AllowRemote: cmd.Bool("allow-remote")}
	if cmd.Bool("server-log") {
		o.Log = os.Stderr
	}
	return spec.Open(ctx, o)
}

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "Measure one server with one workload",
		UsageText: `loadgen run --url http://localhost:8288 --workload steps --rate 100

   Three-step runs at 500 a second, events at random moments:
     loadgen run --command 'ingot dev --no-discovery --no-poll --port {port} --data-dir {dir}' \
         --workload steps --rate 500 --pacing poisson --duration 30s
   How fast 100,000 such runs go through, sent in arrays of 100:
     loadgen run --url http://localhost:8288 --workload steps --count 100000 --batch 100 --clients 8
   Waits, while 100,000 other runs wait too:
     loadgen run --url http://localhost:8288 --workload wait --rate 100 --hold waiting=100000
   What this client can do on this machine:
     loadgen run --target 'ceiling=loadgen empty-server --port {port}' --workload ingest
   Fail (exit code 3) if the server is not fast enough, and keep the report:
     loadgen run --url http://localhost:8288 --rate 100 --objective 'first_call p99 < 50ms' --out report`,
		Flags:                     append(append(targetFlags(), planFlags()...), objectiveFlag()),
		DisableSliceFlagSeparator: true, // as in compare
		Action: func(ctx context.Context, cmd *cli.Command) error {
			plan, goal, err := planAndGoal(cmd)
			if err != nil {
				return err
			}
			t, err := openTarget(ctx, cmd)
			if err != nil {
				return err
			}
			r, err := loadgen.Run(ctx, plan, t)
			err = errors.Join(err, t.Close())
			if r == nil {
				return err
			}
			return errors.Join(err, conclude(cmd, r, goal))
		},
	}
}

func objectiveFlag() cli.Flag {
	return &cli.StringFlag{Name: "objective", Usage: "`bound` such as 'first_call p99 < 50ms', several with commas; no errors, no loss and no growing backlog are implied"}
}

func planAndGoal(cmd *cli.Command) (loadgen.Plan, *objective.Objective, error) {
	plan, err := planOf(cmd)
	if err != nil || cmd.String("objective") == "" {
		return plan, nil, err
	}
	goal, err := objective.Parse(cmd.String("objective"))
	return plan, &goal, err
}

// conclude shows and saves a result.
func conclude(cmd *cli.Command, r *result.Result, goal *objective.Objective) error {
	if goal != nil {
		r.Objective = goal.Check(r)
	}
	var err error
	// Saved first: whoever reads what is shown may stop reading.
	if dir := cmd.String("out"); dir != "" {
		err = report.Write(dir, []*result.Result{r})
	}
	err = errors.Join(err, report.Text(cmd.Root().Writer, r))
	if err == nil && r.Objective != nil && !r.Objective.Met {
		return fmt.Errorf("%w: %s", errObjective, r.Objective.Reason)
	}
	return errors.Join(err, broken(r))
}

// broken makes the program's exit code tell that a server did not keep to the flow
// control of the functions.
func broken(results ...*result.Result) error {
	for _, r := range results {
		if f := r.Flow; f != nil && f.Broken > 0 {
			return fmt.Errorf("the flow control was broken %d times", f.Broken)
		}
	}
	return nil
}
