//go:build !linux

package front

import "net"

// Listen returns ln: the front is for Linux.
func Listen(ln net.Listener, _ Options) net.Listener { return ln }
