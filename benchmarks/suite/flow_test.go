package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ingot/loadgen/result"
)

// TestFlowCost: a feature is held against the mean of both plain floods.
func TestFlowCost(t *testing.T) {
	t.Parallel()
	s, _ := suite(t, func(ctx context.Context, dir string, args []string) ([]*result.Result, error) {
		rs, err := fast(ctx, dir, args)
		name, _, _ := strings.Cut(dir, "-round")
		switch name {
		case flowPlain:
			rs[0].Throughput.Runs = 9_000
		case flowAgain:
			rs[0].Throughput.Runs = 11_000
		case "flow-throttle":
			rs[0].Throughput.Runs, rs[0].Server.CPUPerRun = 9_600, 0.102
		case "flow-rate-limit":
			rs[0].Flow = &result.Flow{Skipped: 4}
		case "flow-keys":
			rs[0].Server.CPUPerRun = 0.11
		}
		return rs, err
	})
	if l := find(t, s, "runs/s with a throttle"); l.Verdict != missed || l.Median != 96 {
		t.Errorf("%s %v", l.Verdict, l.Median)
	}
	if l := find(t, s, "CPU per run with a throttle"); l.Verdict != met || l.Median < 1.019 || l.Median > 1.021 {
		t.Errorf("%s %v", l.Verdict, l.Median)
	}
	if l := find(t, s, "CPU per run with 100,000 keys"); l.Verdict != missed {
		t.Errorf("%s %v", l.Verdict, l.Median)
	}
	if !slices.Contains(s.Remarks, "flow-rate-limit, round 1: 4 events were skipped by flow control") {
		t.Errorf("remarks %q", s.Remarks)
	}
}

// TestFlowArguments: where each event is to have a key of its own there are as many
// keys as events.
func TestFlowArguments(t *testing.T) {
	t.Parallel()
	for _, m := range planned([]string{groupFlow}) {
		args, err := m.args(quick(""), nil)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(args, " ")
		own := m.name == "flow-singleton" || m.name == "flow-debounce"
		if own != strings.Contains(line, "--count 5000 --batch 100 --clients 8 --drain 5m --keys 5000") {
			t.Errorf("%s: %s", m.name, line)
		}
	}
}
