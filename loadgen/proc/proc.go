// Package proc measures what processes use: CPU, memory, disk and fsyncs of a
// local one with all that it started, of this one, and what a Redis says about
// itself. It also finds the process behind a port, and describes the machine.
//
// It reads Linux's /proc; elsewhere everything about processes is unknown.
//
// What does not live here: when samples are taken, and what they mean per run
// (package loadgen).
package proc

import "time"

// Unknown stands for a figure that could not be measured.
const Unknown = -1

// Sample is what a process has used since it began, but for RSS. Negative values
// are unknown. The difference of two samples is what was used between them.
type Sample struct {
	// CPU is user and system time, at a resolution of 10 ms per process.
	CPU time.Duration
	// RSS is the memory that is resident, in bytes.
	RSS int64
	// Written are the bytes that were written to files on disks, or are on their way.
	Written int64
	// Fsyncs is the number of calls of fsync and fdatasync since the Meter was
	// attached. What is synced through Linux AIO or io_uring is not seen.
	Fsyncs int64
}

// unknown is a Sample that says nothing.
func unknown() Sample { return Sample{CPU: Unknown, RSS: Unknown, Written: Unknown, Fsyncs: Unknown} }
