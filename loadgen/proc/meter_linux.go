package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Meter measures one process and its descendants.
type Meter struct {
	pid    int
	start  uint64
	fsyncs *fsyncCounter // nil where they cannot be counted
}

// Attach begins to measure a process. Whatever of it may not be seen is unknown in
// the samples; only a process that does not exist is an error.
func Attach(pid int) (*Meter, error) {
	s, err := readStat(pid)
	if err != nil {
		return nil, fmt.Errorf("measuring process %d: %w", pid, err)
	}
	m := &Meter{pid: pid, start: s.start}
	if m.fsyncs, err = countFsyncs(pid); err != nil {
		m.fsyncs = nil // not there or not allowed: unknown
	}
	return m, nil
}

// Sample returns what the process and its descendants have used. A process that has
// ended is an error.
func (m *Meter) Sample() (Sample, error) {
	root, err := readStat(m.pid)
	if err != nil {
		return unknown(), fmt.Errorf("measuring process %d: %w", m.pid, err)
	}
	if root.start != m.start || root.state == 'Z' {
		return unknown(), fmt.Errorf("measuring process %d: it has ended", m.pid)
	}
	tree, err := descendants(root)
	if err != nil {
		return unknown(), fmt.Errorf("measuring process %d: %w", m.pid, err)
	}
	out := Sample{Fsyncs: m.fsyncs.read()}
	for _, s := range tree {
		out.CPU += s.cpu + s.reaped
		out.RSS += s.rss
		out.Written = add(out.Written, writtenBytes(s.pid))
	}
	return out, nil
}

// Close ends the counting.
func (m *Meter) Close() { m.fsyncs.close() }

// Self returns what this process has used, without the processes it has started.
func Self() Sample {
	out := unknown()
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		out.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	pid := syscall.Getpid()
	if s, err := readStat(pid); err == nil {
		out.RSS = s.rss
	}
	out.Written = writtenBytes(pid)
	return out
}

// add sums what is known; one unknown part makes the sum unknown.
func add(a, b int64) int64 {
	if a < 0 || b < 0 {
		return Unknown
	}
	return a + b
}

// gone says that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
