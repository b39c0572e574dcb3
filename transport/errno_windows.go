package transport

import "syscall"

// Winsock has its own numbers for what POSIX calls ECONNRESET and so on.
const (
	wsaeNetUnreach  = syscall.Errno(10051)
	wsaeConnRefused = syscall.Errno(10061)
	wsaeHostUnreach = syscall.Errno(10065)
)

// resetErrors say that the peer ended a connection.
var resetErrors = []error{syscall.WSAECONNRESET, syscall.WSAECONNABORTED, syscall.EPIPE}

// unreachableErrors say that there is nobody to connect to.
var unreachableErrors = []error{wsaeConnRefused, wsaeHostUnreach, wsaeNetUnreach}
