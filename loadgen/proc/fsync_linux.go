package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fsyncCounter counts system calls of a tree of processes with the kernel's perf
// events, which cost the process next to nothing.
type fsyncCounter struct{ events []int } // file descriptors

// attachAttempts bounds how often the threads of a process are listed anew because
// some came or went meanwhile.
const attachAttempts = 20

// countFsyncs begins to count in every thread of the process and its descendants,
// and in all that they will make. It needs tracefs to be mounted and the right to
// use it, which root has.
func countFsyncs(pid int) (*fsyncCounter, error) {
	var ids []uint64
	for _, call := range []string{"sys_enter_fsync", "sys_enter_fdatasync"} {
		id, err := tracepoint(call)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	for range attachAttempts {
		before, err := threads(pid)
		if err != nil {
			return nil, err
		}
		c, err := openEvents(before, ids)
		if err != nil {
			return nil, err
		}
		after, err := threads(pid)
		// A thread that was made meanwhile has inherited the events of its maker, or it
		// has not because it came too early: nobody can tell, so start again.
		if err == nil && slices.Equal(before, after) {
			return c, nil
		}
		c.close()
	}
	return nil, fmt.Errorf("process %d makes threads too fast to count in all of them", pid)
}

// tracepoint returns the number by which perf knows a tracepoint.
func tracepoint(call string) (uint64, error) {
	var errs []error
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		b, err := os.ReadFile(filepath.Join(dir, "events/syscalls", call, "id"))
		if err == nil {
			return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		}
		errs = append(errs, err)
	}
	return 0, errors.Join(errs...)
}

// threads lists the threads of a process and its descendants, in order.
func threads(pid int) ([]int, error) {
	root, err := readStat(pid)
	if err != nil {
		return nil, err
	}
	tree, err := descendants(root)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, s := range tree {
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(s.pid) + "/task")
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, t := range tasks {
			if tid, err := strconv.Atoi(t.Name()); err == nil {
				out = append(out, tid)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func openEvents(tids []int, ids []uint64) (*fsyncCounter, error) {
	c := &fsyncCounter{}
	for _, tid := range tids {
		for _, id := range ids {
			attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Bits: unix.PerfBitInherit}
			attr.Size = uint32(unsafe.Sizeof(attr))
			fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
			if gone(err) {
				continue
			}
			if err != nil {
				c.close()
				return nil, fmt.Errorf("perf_event_open: %w", err)
			}
			c.events = append(c.events, fd)
		}
	}
	return c, nil
}

// read returns the number of calls so far. Events of threads that have ended keep
// their count.
func (c *fsyncCounter) read() int64 {
	if c == nil {
		return Unknown
	}
	var sum int64
	for _, fd := range c.events {
		var b [8]byte
		if n, err := unix.Read(fd, b[:]); err != nil || n != len(b) {
			return Unknown
		}
		sum += int64(binary.NativeEndian.Uint64(b[:]))
	}
	return sum
}

func (c *fsyncCounter) close() {
	if c == nil {
		return
	}
	for _, fd := range c.events {
		_ = unix.Close(fd)
	}
	c.events = nil
}
