// Command limits measures what flow control costs that is configured and not reached, closer
// than the suite does. Two servers are flooded at the same time, one with the limit and one
// without, and what they have done within the same seconds is compared: what slows the machine
// slows both. Which of the two has the limit is drawn anew each time. The control compares two
// floods of one kind, and has to find no difference.
//
//	go run ./benchmarks/limits                 # an hour
//	go run ./benchmarks/limits -minutes 10 -only 'of each of 10 keys'
//
// Floods one after the other differ by some percent or, next to busy neighbours, by a third,
// for seconds and minutes, so that more of them hardly help.
//
// What does not live here: load (package loadgen), and the cost of what delays runs by its
// nature, debounces and batches (package suite, group flow).
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"ingot/benchmarks/record"
	"ingot/loadgen"
	"ingot/loadgen/flow"
	"ingot/loadgen/result"
	"ingot/loadgen/stats"
	"ingot/loadgen/target"
)

// comparison is of two kinds of flood.
type comparison struct {
	title string
	kinds [2]flow.Config
	// Of each pair of floods: runs/s within the same time, and ms of CPU per run.
	runs, cost [2][]float64
}

// comparisons have limits that no flood reaches. What is by key is compared with the same
// events without it.
func comparisons() []comparison {
	few, fewLimited := flow.Config{Keys: 10}, flow.Config{Keys: 10, Limit: 1000}
	many, manyLimited := flow.Config{Keys: 100_000}, flow.Config{Keys: 100_000, Limit: 10}
	none, never := flow.Config{}, flow.Rate{Limit: 1_000_000, Period: time.Second}
	return []comparison{
		{title: "a limit of calls, against none", kinds: [2]flow.Config{none, {Limit: 1_000_000}}},
		{title: "a limit of runs, against none", kinds: [2]flow.Config{none, {RunLimit: 1_000_000}}},
		{title: "a throttle, against none", kinds: [2]flow.Config{none, {Throttle: never}}},
		{title: "a rate limit, against none", kinds: [2]flow.Config{none, {RateLimit: flow.Rate{Limit: 100_000_000, Period: time.Second}}}},
		{title: "priority of each tenth event, against none", kinds: [2]flow.Config{none, {Priority: 60}}},
		{title: "a singleton of each of 100,000 keys, against none", kinds: [2]flow.Config{many, {Keys: 100_000, Singleton: flow.Skip}}},
		{title: "control: 10 keys without a limit, against the same", kinds: [2]flow.Config{few, few}},
		{title: "a limit of each of 10 keys, against none", kinds: [2]flow.Config{few, fewLimited}},
		{title: "the same in the environment, against none", kinds: [2]flow.Config{few, {Keys: 10, Limit: 1000, Scope: flow.ScopeEnv}}},
		{title: "a limit of each of 100,000 keys, against none", kinds: [2]flow.Config{many, manyLimited}},
		{title: "a limit of each of 100,000 keys, against 10", kinds: [2]flow.Config{fewLimited, manyLimited}},
	}
}

// pairsPerServer is how often two servers are flooded, besides a first time that is not
// counted, before they are started anew: their history grows.
const pairsPerServer = 16

func main() {
	minutes := flag.Float64("minutes", 60, "how long to measure")
	count := flag.Int64("count", 40_000, "runs of a flood")
	only := flag.String("only", "", "only comparisons whose title matches this regular expression")
	root := flag.String("results", record.Root, "directory of the results; empty records nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *minutes, *count, *only, *root, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, minutes float64, count int64, only, root string, out io.Writer) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	list := slices.DeleteFunc(comparisons(), func(c comparison) bool { return !wanted.MatchString(c.title) })
	if len(list) == 0 {
		return fmt.Errorf("-only: no comparison matches %q", only)
	}
	dir, err := os.MkdirTemp("", "ingot-limits-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "ingot")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/ingot")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, text)
	}
	spec, err := target.Parse("ingot=" + bin + " dev --no-discovery --no-poll --log-level warn --port {port} --data-dir {dir}")
	if err != nil {
		return err
	}
	command := fmt.Sprintf("go run ./benchmarks/limits -minutes %g -count %d", minutes, count)
	if only != "" {
		command += fmt.Sprintf(" -only %q", only)
	}
	h := record.NewHeader(ctx, command)
	for end := time.Now().Add(time.Duration(minutes * float64(time.Minute))); time.Now().Before(end); {
		if err := rounds(ctx, spec, count, list, end, out); err != nil {
			return err
		}
	}
	text, err := table(list)
	if err != nil {
		return err
	}
	text = h.Lines() + text
	if _, err := io.WriteString(out, text); err != nil || root == "" {
		return err
	}
	path, err := h.Write(root, "", "limits.txt", []byte(text))
	if err == nil {
		_, err = fmt.Fprintln(out, path)
	}
	return err
}

// rounds floods two servers, each time of another comparison.
func rounds(ctx context.Context, spec target.Spec, count int64, list []comparison, end time.Time, out io.Writer) error {
	var servers [2]*target.Target
	for i := range servers {
		t, err := spec.Open(ctx, target.Options{Log: os.Stderr})
		if err != nil {
			return err
		}
		defer t.Close()
		servers[i] = t
	}
	next := rand.Perm(len(list))
	for n := range 1 + pairsPerServer {
		if n > 0 && time.Now().After(end) {
			return nil
		}
		c := &list[next[n%len(next)]]
		if rand.IntN(2) == 1 {
			servers[0], servers[1] = servers[1], servers[0]
		}
		rates, costs, err := pair(ctx, servers, c.kinds, count)
		if err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
		if n > 0 {
			for k := range c.kinds {
				c.runs[k] = append(c.runs[k], rates[k])
				c.cost[k] = append(c.cost[k], costs[k])
			}
		}
		fmt.Fprintf(out, "%s  %-51s %6.0f and %6.0f runs/s  %.3f and %.3f ms of CPU per run\n", time.Now().Format(time.TimeOnly), c.title, rates[0], rates[1], costs[0], costs[1])
	}
	return nil
}

// pair floods both servers at the same time.
func pair(ctx context.Context, servers [2]*target.Target, kinds [2]flow.Config, count int64) (rates, costs [2]float64, err error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var results [2]*result.Result
	var errs [2]error
	ended := make(chan struct{}, len(servers))
	for _, i := range rand.Perm(len(servers)) { // neither is always the first
		wg.Go(func() {
			results[i], errs[i] = once(ctx, servers[i], kinds[i], count)
			ended <- struct{}{}
		})
	}
	watched, err := watch(ctx, servers, ended)
	if err != nil {
		return rates, costs, err
	}
	wg.Wait()
	for i, r := range results {
		if errs[i] != nil {
			return rates, costs, errs[i]
		}
		costs[i] = r.Server.CPUPerRun
	}
	rates, err = watched.rates(count)
	return rates, costs, err
}

// sample is how many runs each server had ended at one time.
type sample struct {
	at    time.Time
	ended [2]int64
}

type samples []sample

// watch looks at the servers until one of the floods has ended.
func watch(ctx context.Context, servers [2]*target.Target, ended <-chan struct{}) (all samples, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s := sample{at: time.Now()}
		for i, t := range servers {
			if s.ended[i], err = endedRuns(ctx, t.URL); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
		select {
		case <-tick.C:
		case <-ended:
			return all, nil
		}
	}
}

// rates are the runs that were ended per second of the time in which both servers were
// between the beginning and the end of their floods.
func (all samples) rates(count int64) (rates [2]float64, err error) {
	in := func(s sample) bool {
		for i, n := range s.ended {
			if done := n - all[0].ended[i]; done < count/8 || done > count-count/16 {
				return false
			}
		}
		return true
	}
	from, to := -1, -1
	for i, s := range all {
		if in(s) {
			if to = i; from < 0 {
				from = i
			}
		}
	}
	if to-from < 10 {
		return rates, fmt.Errorf("floods of %d runs are too short to be compared", count)
	}
	for i := range rates {
		rates[i] = float64(all[to].ended[i]-all[from].ended[i]) / all[to].at.Sub(all[from].at).Seconds()
	}
	return rates, nil
}

// metrics asks servers for their counts, which a flood makes them slow to tell.
var metrics = http.Client{Timeout: 30 * time.Second}

// endedRuns is the server's count of ended runs.
func endedRuns(ctx context.Context, url string) (n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := metrics.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "ingot_runs_ended_total"); ok {
			v, err := strconv.ParseFloat(text[strings.LastIndexByte(text, ' ')+1:], 64)
			if err != nil {
				return 0, fmt.Errorf("metrics: %q: %w", lines.Text(), err)
			}
			n += int64(v)
		}
	}
	return n, lines.Err()
}

// once is one flood, of which no run may be missing.
func once(ctx context.Context, t *target.Target, config flow.Config, count int64) (*result.Result, error) {
	p := loadgen.DefaultPlan()
	p.Shape.Flow, p.Count, p.Batch, p.Clients, p.WarmUp, p.Drain = config, count, 100, 8, 300*time.Millisecond, 5*time.Minute
	r, err := loadgen.Run(ctx, p, t)
	switch {
	case err != nil:
		return nil, err
	case r.Interrupted:
		return nil, context.Canceled
	case r.Counts.Lost > 0 || r.Counts.Completed != count:
		return nil, fmt.Errorf("of %d runs %d completed, %d are lost", count, r.Counts.Completed, r.Counts.Lost)
	}
	return r, nil
}

// table is the ratios of the comparisons.
func table(list []comparison) (string, error) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 2, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\nratios, with standard errors and 95 %% intervals\trate of runs\tCPU per run\tpairs\tmedian runs/s, two servers at once\n")
	for i := range list {
		c := &list[i]
		if len(c.runs[0]) == 0 {
			continue // there was no time for it
		}
		runs, err := stats.PairedRatio(c.runs[0], c.runs[1])
		if err != nil {
			return "", err
		}
		cost, err := stats.PairedRatio(c.cost[0], c.cost[1])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%.0f and %.0f\n", c.title, ratio(runs), ratio(cost), runs.Rounds, stats.Median(c.runs[0]), stats.Median(c.runs[1]))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return text.String(), nil
}

// ratio is the mean of the pairs with its standard error. The interval is wider, since it
// covers that of the ratio of medians too, which forgets what belongs together.
func ratio(r stats.Ratio) string {
	return fmt.Sprintf("%.3f ± %.3f (%.3f to %.3f)", r.Estimate, r.Estimate*r.Error, r.Low, r.High)
}
