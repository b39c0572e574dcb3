package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// NetworkPolicy says which addresses may be called. The zero value allows all,
// as the reference does.
type NetworkPolicy struct {
	// DenyPrivate refuses loopback, private, link-local (with cloud metadata),
	// shared, multicast and reserved addresses, in IPv4, IPv6, and IPv4 inside of
	// IPv6. It is applied to the resolved address of each connection, so neither
	// DNS nor a redirect leads around it.
	DenyPrivate bool
	// Allow lists exceptions to DenyPrivate.
	Allow []netip.Prefix
}

// reserved are the networks that are not the public internet (RFC 6890 and others).
var reserved = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/128", "::1/128", "100::/64", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// Prefixes that carry an IPv4 address at the given byte.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible
}

// check refuses an address that the policy denies.
func (p *NetworkPolicy) check(addr netip.Addr) error {
	if !p.DenyPrivate {
		return nil
	}
	addr = addr.WithZone("").Unmap()
	candidates := []netip.Addr{addr}
	for _, c := range carriers {
		if c.prefix.Contains(addr) {
			b := addr.As16()
			candidates = append(candidates, netip.AddrFrom4([4]byte(b[c.at:c.at+4])))
		}
	}
	for _, allowed := range p.Allow {
		if allowed.Contains(addr) {
			return nil
		}
	}
	for _, a := range candidates {
		for _, denied := range reserved {
			if denied.Contains(a) {
				return fmt.Errorf("address %s is in the network %s, which this server is configured not to call", addr, denied)
			}
		}
	}
	return nil
}

// control is called for each connection attempt, with the resolved address.
func (p *NetworkPolicy) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q cannot be checked: %w", address, err)
	}
	return p.check(ap.Addr())
}

const (
	tlsTimeout = 15 * time.Second // handshake (spec 01 §7.1)
	keepAlive  = 30 * time.Second // TCP probes find peers that vanished
)

// dialer opens connections.
type dialer struct {
	tcp net.Dialer
	tls *tls.Config
}

func newDialer(policy NetworkPolicy, timeout time.Duration, roots *x509.CertPool) *dialer {
	return &dialer{
		tcp: net.Dialer{Timeout: timeout, KeepAlive: keepAlive, ControlContext: policy.control},
		tls: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
	}
}

// dial connects to an endpoint. IPv6 and IPv4 addresses of a name are raced, and
// "localhost" tries both loopback addresses whatever the resolver says: Node apps
// often listen on ::1 only.
func (d *dialer) dial(ctx context.Context, e endpoint) (net.Conn, error) {
	conn, err := d.dialTCP(ctx, e)
	if err != nil || !e.tls {
		return conn, err
	}
	cfg := d.tls.Clone()
	cfg.ServerName = e.host
	secure := tls.Client(conn, cfg)
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

func (d *dialer) dialTCP(ctx context.Context, e endpoint) (net.Conn, error) {
	conn, err := d.tcp.DialContext(ctx, "tcp", net.JoinHostPort(e.host, e.port))
	if err == nil || e.host != "localhost" || ctx.Err() != nil {
		return conn, err
	}
	for _, ip := range []string{"::1", "127.0.0.1"} {
		if conn, again := d.tcp.DialContext(ctx, "tcp", net.JoinHostPort(ip, e.port)); again == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialAddr is dialTCP for net/http.
func (d *dialer) dialAddr(ctx context.Context, _, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return d.dialTCP(ctx, endpoint{host: host, port: port})
}
