//go:build !windows

package transport

import "syscall"

// resetErrors say that the peer ended a connection.
var resetErrors = []error{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE}

// unreachableErrors say that there is nobody to connect to.
var unreachableErrors = []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH}
