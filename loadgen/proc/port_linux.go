package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PIDOfPort returns the local process that listens on a TCP port. It finds none
// that belongs to another user, unless this process is root's.
func PIDOfPort(port int) (int, bool) {
	for inode := range listeners(port) {
		if pid, ok := holder("socket:[" + inode + "]"); ok {
			return pid, true
		}
	}
	return 0, false
}

// listeners returns the inodes of the sockets that listen on a port.
func listeners(port int) map[string]bool {
	const local, state, inode = 1, 3, 9 // columns
	const listening = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	out := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6, for example
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > inode && f[state] == listening && strings.HasSuffix(f[local], suffix) {
				out[f[inode]] = true
			}
		}
	}
	return out
}

// holder returns a process that has the file open.
func holder(file string) (int, bool) {
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, false
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err != nil || link != file {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		return pid, err == nil
	}
	return 0, false
}
