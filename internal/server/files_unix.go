//go:build unix

package server

import "golang.org/x/sys/unix"

// maxFiles is how many files the process may have open; 0 if it is not known. Go has
// raised it to what the system allows.
func maxFiles() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return uint64(l.Cur) // signed on some systems
}
