package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"ingot/loadgen"

	"github.com/urfave/cli/v3"
)

func workloadsCommand() *cli.Command {
	return &cli.Command{
		Name:  "workloads",
		Usage: "List what --workload may name",
		Action: func(_ context.Context, cmd *cli.Command) error {
			w := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
			for _, l := range loadgen.Workloads() {
				fmt.Fprintf(w, "%s\t%s\n", l.Name, l.Explanation)
			}
			return w.Flush()
		},
	}
}
