package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// stat is what /proc/PID/stat says, see proc_pid_stat(5).
type stat struct {
	pid, parent int
	state       byte
	// cpu is that of the process, reaped that of its children that were waited for:
	// with it, the sum over a tree does not fall when one of them ends.
	cpu, reaped time.Duration
	start       uint64 // in ticks since the boot; with pid it identifies a process
	rss         int64
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(b)
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	s.pid = pid
	return s, nil
}

// parseStat reads the fields behind the program's name, which is in parentheses and
// may itself contain anything.
func parseStat(b []byte) (stat, error) {
	const (
		state, parent                  = 3, 4 // numbers of fields, as in the manual
		user, system, cuser, csystem   = 14, 15, 16, 17
		start, resident, firstAfterEnd = 22, 24, 3
	)
	_, rest, ok := bytes.Cut(b[max(0, bytes.LastIndexByte(b, ')')):], []byte(") "))
	f := strings.Fields(string(rest))
	if !ok || len(f) <= resident-firstAfterEnd {
		return stat{}, errors.New("it is too short")
	}
	var errs []error
	number := func(field int) int64 {
		n, err := strconv.ParseInt(f[field-firstAfterEnd], 10, 64)
		if err != nil {
			errs = append(errs, fmt.Errorf("field %d: %w", field, err))
		}
		return n
	}
	s := stat{
		state:  f[state-firstAfterEnd][0],
		parent: int(number(parent)),
		cpu:    time.Duration(number(user)+number(system)) * tick,
		reaped: time.Duration(number(cuser)+number(csystem)) * tick,
		start:  uint64(number(start)),
		rss:    number(resident) * int64(os.Getpagesize()),
	}
	return s, errors.Join(errs...)
}

// descendants returns root and every living process below it.
func descendants(root stat) ([]stat, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]stat{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		children[s.parent] = append(children[s.parent], s)
	}
	tree := []stat{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree, nil
}

// writtenBytes returns write_bytes of /proc/PID/io: 0 for a process that is gone,
// Unknown for one that may not be looked at, or where the kernel does not count.
func writtenBytes(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
	if gone(err) {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				return n
			}
		}
	}
	return Unknown
}
