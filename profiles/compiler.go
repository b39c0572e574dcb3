package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ingot/loadgen/report"
	"ingot/profiles/pgo"

	"github.com/google/pprof/profile"
)

// recordPGO takes the CPU profile of each workload of the mix and merges them.
func recordPGO(ctx context.Context, o options) error {
	// Nothing else is taken, so the load needs no time for it.
	o.waits, o.trace = 0, 0
	var all []*profile.Profile
	for _, workload := range mix {
		p, err := cpuProfile(ctx, o, workload)
		if err != nil {
			return fmt.Errorf("%s: %w", workload, err)
		}
		all = append(all, p)
	}
	merged, err := pgo.Merge(all...)
	if err != nil {
		return err
	}
	if err := report.WriteFile(o.pgo, merged); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes\n", filepath.ToSlash(o.pgo), len(merged))
	return nil
}

func cpuProfile(ctx context.Context, o options, workload string) (*profile.Profile, error) {
	dir, err := os.MkdirTemp("", "ingot-pgo-")
	if err != nil {
		return nil, fmt.Errorf("a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := start(ctx, o, workload, dir)
	if err != nil {
		return nil, err
	}
	r := &recording{profiles: map[string][]byte{}}
	err = s.takeCPU(ctx, r)
	if err = errors.Join(err, s.close()); err != nil {
		return nil, err
	}
	return profile.ParseData(r.profiles["profile"])
}
