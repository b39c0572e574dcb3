package target

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
)

// requireLoopback refuses a URL whose host has any address outside this machine's
// loopback: a load generator must not hit somebody by mistake.
func requireLoopback(ctx context.Context, base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, u.Hostname())
	if err != nil {
		return fmt.Errorf("finding the target's addresses: %w", err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return fmt.Errorf("the target %s is not on this machine's loopback (%s); loads on other machines have to be allowed explicitly", base, ip.IP)
		}
	}
	return nil
}

// portOf returns the port of a URL.
func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// freePort finds a port on loopback that nobody listens on and that is none of
// taken. It is below the range from which systems take ports for outgoing
// connections: one of those could come to hold it before the server does.
func freePort(taken ...int) (int, error) {
	const lowest, count = 20_000, 10_000
	for range 100 {
		port := lowest + rand.IntN(count)
		if len(taken) > 0 && taken[0] == port {
			continue
		}
		if isFree(port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", lowest, lowest+count-1)
}

// isFree returns an error if something listens on the port.
func isFree(port int) error {
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return ln.Close()
}
