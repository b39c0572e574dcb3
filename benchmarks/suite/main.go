// Command suite measures the whole server by loadgen's standard workloads and
// writes a table of each figure against its budget.
//
//	make bench                         # all, three rounds, recorded under benchmarks/results
//	make bench ONLY=ingest,latency     # some
//	make bench ARGS=-quick             # a minute to see that everything works; not recorded
//
// What does not live here: measuring (package loadgen) and the benchmarks of single
// stages (package micro).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"ingot/benchmarks/record"
)

type settings struct {
	only    string
	quick   bool
	rounds  int
	root    string
	machine string
	raw     string
	flags   string
}

func main() {
	var s settings
	flag.StringVar(&s.only, "only", "", "groups to measure, with commas: "+strings.Join(groups(), ", "))
	flag.BoolVar(&s.quick, "quick", false, "one short round with small numbers; not recorded")
	flag.IntVar(&s.rounds, "rounds", 3, "how often everything is measured, one after the other")
	flag.StringVar(&s.root, "results", record.Root, "directory of the results")
	flag.StringVar(&s.machine, "machine", "", "short name of this machine in the name of the result (default: made from its CPU)")
	flag.StringVar(&s.raw, "raw", filepath.Join(".cache", "bench"), "directory for loadgen's own reports")
	flag.StringVar(&s.flags, "server-flags", "", "further flags of the server, such as '--sync interval'")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) error {
	chosen, err := choose(s.only)
	if err != nil {
		return err
	}
	if s.rounds < 1 || s.rounds > 100 {
		return fmt.Errorf("rounds is %d, it must be from 1 to 100", s.rounds)
	}
	p := full(s.flags)
	if s.quick {
		p, s.rounds = quick(s.flags), 1
	}
	if err := build(ctx); err != nil {
		return err
	}
	h := record.NewHeader(ctx, s.command())
	seen := measure(ctx, planned(chosen), p, s.rounds, loadgen(s.raw), out)
	sum := summarise(h, s.rounds, chosen, p, seen)
	fmt.Fprintf(out, "\n%s", sum.Markdown())
	if !s.quick && ctx.Err() == nil {
		if err := save(sum, h, s, chosen, out); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), seen.failures())
}

// command is what a reader types to run the same.
func (s settings) command() string {
	c := fmt.Sprintf("go run ./benchmarks/suite -rounds %d", s.rounds)
	if s.only != "" {
		c += " -only " + s.only
	}
	if s.quick {
		c += " -quick"
	}
	if s.flags != "" {
		c += " -server-flags " + quote(s.flags)
	}
	return c
}

// choose reads the names of groups; all if there are none.
func choose(only string) ([]string, error) {
	if only == "" {
		return groups(), nil
	}
	var chosen []string
	for name := range strings.SplitSeq(only, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(groups(), name) {
			return nil, fmt.Errorf("only: there is no group %q, but %s", name, strings.Join(groups(), ", "))
		}
		chosen = append(chosen, name)
	}
	return chosen, nil
}

// save records a summary; one of some groups gets a name of its own.
func save(sum *summary, h record.Header, s settings, chosen []string, out io.Writer) error {
	name := "summary"
	if s.only != "" {
		name += "-" + strings.Join(chosen, "-")
	}
	text, err := sum.JSON()
	if err != nil {
		return err
	}
	if _, err := h.Write(s.root, s.machine, name+".json", text); err != nil {
		return err
	}
	path, err := h.Write(s.root, s.machine, name+".md", []byte(sum.Markdown()))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nRecorded in %s\n", filepath.ToSlash(path))
	return nil
}
