package main

import (
	"strconv"

	"ingot/loadgen/result"
)

// manyKeys and fewKeys are what the number of keys must not matter between.
const (
	manyKeys = 100_000
	fewKeys  = 10
)

// flowPlain is the flood without flow control that the others are held against. It is
// measured twice in a round: how far the two are apart is the noise.
const (
	flowPlain = "flow-plain"
	flowAgain = "flow-plain-again"
)

// flowCase is a flood with one feature of flow control.
type flowCase struct {
	name, title string // title is "" for what holds runs back by its nature
	args        func(p params) []string
}

// flowCases are limits that no flood reaches, and then what delays runs whatever the
// numbers: a debounce with a key for each event, and batches.
var flowCases = []flowCase{
	{"limit", "a limit of calls that is not reached", plain("--limit", "1000000")},
	{"limit-key", "such a limit of each of 10 keys", keys(fewKeys, "--limit", "1000000")},
	{"limit-env", "such a limit of each of 10 keys in the environment", keys(fewKeys, "--limit", "1000000", "--scope", "env")},
	{"run-limit", "a limit of runs that is not reached", plain("--run-limit", "1000000")},
	{"throttle", "a throttle that is not reached", plain("--throttle", "1000000/1s")},
	{"rate-limit", "a rate limit that is not reached", plain("--rate-limit", "100000000/1s")},
	{"singleton", "a singleton, a key for each event", own("--singleton", "skip")},
	{"priority", "priority", plain("--priority", "60")},
	{"keys", "", keys(manyKeys, "--limit", "1000000")},
	{"debounce", "", own("--debounce", "1s")},
	{"batch", "", plain("--batch-events", "10/1s")},
}

func plain(args ...string) func(params) []string {
	return func(params) []string { return args }
}

func keys(n int, args ...string) func(params) []string {
	return func(params) []string { return append([]string{"--keys", strconv.Itoa(n)}, args...) }
}

// own gives each event of the flood a key of its own.
func own(args ...string) func(params) []string {
	return func(p params) []string { return keys(p.flood, args...)(p) }
}

// flowMeasurements are the floods of a round, the plain ones first and in the middle.
func flowMeasurements() []measurement {
	list := []measurement{plainFlood(flowPlain)}
	for i, c := range flowCases {
		if i == len(flowCases)/2 {
			list = append(list, plainFlood(flowAgain))
		}
		list = append(list, measurement{name: "flow-" + c.name, group: groupFlow, args: fixed(func(p params) []string {
			return append(flood(p, p.flood, floodWarmUp), c.args(p)...)
		})})
	}
	return list
}

func plainFlood(name string) measurement {
	return measurement{name: name, group: groupFlow, args: fixed(func(p params) []string { return flood(p, p.flood, floodWarmUp) })}
}

// flowFigures are the shares of the plain flood's throughput that are left, and the
// cost in CPU.
func flowFigures() []figure {
	var list []figure
	for _, c := range flowCases {
		if c.title == "" {
			continue
		}
		from := []string{"flow-" + c.name, flowPlain, flowAgain}
		list = append(list,
			figure{groupFlow, "runs/s with " + c.title + ", share of those without", "%", true, 97, from, percent(againstMean(runs))},
			figure{groupFlow, "CPU per run with " + c.title + ", against without", "x", false, 1.03, from, againstMean(cpuPerRun)})
	}
	from := []string{"flow-keys", "flow-limit-key"}
	return append(list,
		figure{groupFlow, "runs/s with 100,000 keys, share of those with 10", "%", true, 97, from, share(runs)},
		figure{groupFlow, "CPU per run with 100,000 keys, against 10", "x", false, 1.03, from, ratio(cpuPerRun)})
}

// againstMean is the first result's quantity over the mean of the others'.
func againstMean(q quantity) func([]*result.Result) (float64, error) {
	return func(r []*result.Result) (float64, error) {
		sum := 0.0
		for _, other := range r[1:] {
			v, err := q(other)
			if err != nil {
				return 0, err
			}
			sum += v
		}
		v, err := q(r[0])
		return v * float64(len(r)-1) / sum, err
	}
}
