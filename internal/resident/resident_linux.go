package resident

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReleaseTables gives back the tables and constants of the program's file, and returns how
// many bytes of them were resident.
func ReleaseTables() (bytes int64, err error) {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, fmt.Errorf("the program's file: %w", err)
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("the process's mappings: %w", err)
	}
	defer f.Close()
	tables, err := findTables(f, path)
	if err != nil {
		return 0, fmt.Errorf("the process's mappings: %w", err)
	}
	for _, m := range tables {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED); errno != 0 {
			return bytes, fmt.Errorf("giving back mapping %x-%x: %w", m.begin, m.end, errno)
		}
		bytes += m.resident
	}
	return bytes, nil
}

// mapping is a part of the process's memory.
type mapping struct {
	begin, end          uintptr
	resident, anonymous int64
}

// findTables reads mappings, as /proc/PID/smaps shows them, and returns those of the file
// at path that can be given back: they may only be read, and every page is still what the
// file has. Pages that the loader has changed before it made them read-only would lose that.
// Code is left alone: it is in use, and breakpoints are changes as well.
func findTables(smaps io.Reader, path string) (tables []mapping, err error) {
	var m *mapping // that the lines are about, if it may be given back
	add := func() {
		if m != nil && m.anonymous == 0 && m.resident > 0 {
			tables = append(tables, *m)
		}
	}
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		if begin, end, ok := strings.Cut(name, "-"); ok {
			add()
			if m = nil; strings.HasPrefix(rest, "r--p ") && strings.HasSuffix(rest, " "+path) {
				m = &mapping{anonymous: -1} // until it is known
				if m.begin, m.end, err = bounds(begin, end); err != nil {
					return nil, err
				}
			}
			continue
		}
		if m == nil {
			continue
		}
		switch name {
		case "Rss:":
			m.resident, err = kilobytes(rest)
		case "Anonymous:":
			m.anonymous, err = kilobytes(rest)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	add()
	return tables, lines.Err()
}

func bounds(begin, end string) (uintptr, uintptr, error) {
	b, err := strconv.ParseUint(begin, 16, strconv.IntSize)
	if err != nil {
		return 0, 0, err
	}
	e, err := strconv.ParseUint(end, 16, strconv.IntSize)
	return uintptr(b), uintptr(e), err
}

// kilobytes reads "   12 kB".
func kilobytes(text string) (bytes int64, err error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
	return n << 10, err
}
