//go:build !windows

package server

import "syscall"

const errAddrInUse = syscall.EADDRINUSE
