//go:build !linux

package proc

import "fmt"

// Meter would measure a process; only Linux has what it takes.
type Meter struct{}

// Attach returns a Meter whose samples are unknown.
func Attach(pid int) (*Meter, error) {
	if pid <= 0 {
		return nil, fmt.Errorf("measuring process %d: there is none", pid)
	}
	return &Meter{}, nil
}

// Sample returns what is unknown.
func (*Meter) Sample() (Sample, error) { return unknown(), nil }

// Close does nothing.
func (*Meter) Close() {}

// Self returns what is unknown.
func Self() Sample { return unknown() }

// PIDOfPort finds nothing.
func PIDOfPort(int) (int, bool) { return 0, false }
