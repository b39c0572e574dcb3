// Package pgo makes the profile with which the compiler optimises the server:
// CPU profiles merged, without all that the compiler does not read.
//
// What does not live here: taking the profiles (package main above).
package pgo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/pprof/profile"
)

// MaxBytes is the size that a default.pgo may have: it is committed, and every
// build reads it.
const MaxBytes = 500 << 10

// depth is how many functions from the leaf a stack keeps. The compiler counts
// each call of a stack; those near the root are in every stack of their goroutine.
const depth = 24

// Merge returns one profile of several, encoded for the compiler. Each counts
// with its samples.
func Merge(profiles ...*profile.Profile) ([]byte, error) {
	stripped := make([]*profile.Profile, 0, len(profiles))
	for _, p := range profiles {
		if len(p.Sample) == 0 {
			return nil, errors.New("merging profiles: one has no samples")
		}
		if err := strip(p); err != nil {
			return nil, err
		}
		stripped = append(stripped, p)
	}
	merged, err := profile.Merge(stripped)
	if err != nil {
		return nil, fmt.Errorf("merging profiles: %w", err)
	}
	var out bytes.Buffer
	if err := merged.Write(&out); err != nil {
		return nil, fmt.Errorf("encoding the merged profile: %w", err)
	}
	if out.Len() > MaxBytes {
		return nil, fmt.Errorf("the merged profile has %d bytes, at most %d are kept: take shorter profiles", out.Len(), MaxBytes)
	}
	return out.Bytes(), nil
}

// strip drops what tells stacks apart that are the same for the compiler: labels,
// addresses, files, mappings. It needs names, lines, and where functions begin.
func strip(p *profile.Profile) error {
	for _, s := range p.Sample {
		s.Label, s.NumLabel, s.NumUnit = nil, nil, nil
		s.Location = s.Location[:min(len(s.Location), depth)]
	}
	p.Comments, p.DocURL, p.DropFrames, p.KeepFrames = nil, "", "", ""
	p.Mapping = nil
	for _, l := range p.Location {
		l.Mapping = nil
	}
	if err := p.Aggregate(true, true, false, true, false, false); err != nil {
		return fmt.Errorf("stripping a profile: %w", err)
	}
	return nil
}
