package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ingot/loadgen/report"

	"github.com/urfave/cli/v3"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "Turn saved results into a page, several next to each other",
		UsageText: "loadgen report results/before results/after --out page.html",
		ArgsUsage: "DIR-or-result.json...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`file` (.html) or directory for index.html; without it the results are printed as text"},
		},
		Action: runReport,
	}
}

func runReport(_ context.Context, cmd *cli.Command) error {
	if cmd.NArg() == 0 {
		return errors.New("report: no saved results are given")
	}
	results, comparison, err := report.Read(cmd.Args().Slice()...)
	if err != nil {
		return err
	}
	out := cmd.String("out")
	if out != "" {
		path, err := pagePath(out, "index.html")
		if err != nil {
			return err
		}
		return report.WritePage(path, results, comparison)
	}
	w := cmd.Root().Writer
	if comparison != nil {
		return report.ComparisonText(w, comparison)
	}
	for _, r := range results {
		if err := report.Text(w, r); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// pagePath is out itself if it names an HTML file, else the file name in the
// directory out, which is made.
func pagePath(out, name string) (string, error) {
	if strings.EqualFold(filepath.Ext(out), ".html") {
		return out, nil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", fmt.Errorf("out: %w", err)
	}
	return filepath.Join(out, name), nil
}
