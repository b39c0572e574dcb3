package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"ingot/loadgen/capacity"
	"ingot/loadgen/report"

	"github.com/urfave/cli/v3"
)

func capacityCommand() *cli.Command {
	return &cli.Command{
		Name:      "capacity",
		Usage:     "Plan capacity from saved results: what is sustained, what limits, what it costs, what more would give",
		UsageText: "loadgen capacity --expect 2000 --price-core-hour 0.04 --out plan 1=results/1-core 2=results/2-cores 4=results/4-cores",
		ArgsUsage: "[N=]DIR-or-result.json...",
		Description: "N says with how many cores, nodes or clients a directory's results were measured; without it the\n" +
			"results themselves say so. The plan is printed as Markdown, or written to a directory with --out.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "by", Usage: "what N counts: `cores`, nodes, clients, concurrency or a parameter of the workload (default: what varies)"},
			&cli.Float64Flag{Name: "expect", Usage: "expected `rate` in runs (without runs: events) per second"},
			&cli.Float64Flag{Name: "price-core-hour", Usage: "`price` of a core for an hour"},
			&cli.Float64Flag{Name: "price-gb-hour", Usage: "`price` of a GB of memory for an hour"},
			&cli.Float64Flag{Name: "price-disk-gb-month", Usage: "`price` of a GB of disk for a month"},
			&cli.Float64Flag{Name: "disk-fsyncs", Usage: "fsyncs per second that the disk can do"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`directory` for capacity.md and capacity.html"},
		},
		Action: runCapacity,
	}
}

func runCapacity(_ context.Context, cmd *cli.Command) error {
	inputs, err := capacityInputs(cmd.Args().Slice())
	if err != nil {
		return err
	}
	plan, err := capacity.New(inputs, capacity.Config{
		By: cmd.String("by"), Expect: cmd.Float64("expect"), DiskFsyncs: cmd.Float64("disk-fsyncs"),
		Prices: capacity.Prices{CoreHour: cmd.Float64("price-core-hour"), GBHour: cmd.Float64("price-gb-hour"), DiskGBMonth: cmd.Float64("price-disk-gb-month")},
	})
	if err != nil {
		return err
	}
	out := cmd.String("out")
	if out == "" {
		return plan.Markdown(cmd.Root().Writer)
	}
	page, err := pagePath(out, "capacity.html")
	if err != nil {
		return err
	}
	var markdown, html bytes.Buffer
	if err := errors.Join(plan.Markdown(&markdown), plan.HTML(&html)); err != nil {
		return err
	}
	return errors.Join(report.WriteFile(page, html.Bytes()),
		report.WriteFile(strings.TrimSuffix(page, filepath.Ext(page))+".md", markdown.Bytes()))
}

// capacityInputs reads saved results, each with the number that stands before its
// path.
func capacityInputs(args []string) ([]capacity.Input, error) {
	if len(args) == 0 {
		return nil, errors.New("capacity: no saved results are given")
	}
	var inputs []capacity.Input
	for _, arg := range args {
		path, n := arg, 0.0
		if before, after, ok := strings.Cut(arg, "="); ok {
			if v, err := strconv.ParseFloat(before, 64); err == nil {
				if v <= 0 || v > 1e6 {
					return nil, fmt.Errorf("capacity: %q: the number before = is %v, it must be above 0 and at most 1,000,000", arg, v)
				}
				path, n = after, v
			}
		}
		results, _, err := report.Read(path)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			inputs = append(inputs, capacity.Input{Result: r, N: n})
		}
	}
	return inputs, nil
}
