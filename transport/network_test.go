package transport

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	p := NetworkPolicy{DenyPrivate: true, Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}}
	for addr, allowed := range map[string]bool{
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false,
		"10.0.0.1": false, "10.1.2.3": true, "172.16.0.1": false, "172.32.0.1": true, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.128.0.1": true, "224.0.0.1": false, "255.255.255.255": false,
		"::ffff:127.0.0.1": false, "::ffff:10.1.2.3": true, "::ffff:8.8.8.8": true, "::127.0.0.1": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b::808:808": true, "2002:7f00:1::": false, "2002:808:808::": true,
		"fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:1::1": true, "ff02::1": false,
		"8.8.8.8": true, "2606:4700:4700::1111": true,
	} {
		if err := p.check(netip.MustParseAddr(addr)); (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := (&NetworkPolicy{}).check(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Errorf("the zero policy denies: %v", err)
	}
	if err := p.control(t.Context(), "tcp", "no address", nil); err == nil {
		t.Error("an address that cannot be read passes")
	}
}

// The policy is applied to each connection: to literal addresses, to what a name
// resolves to, and behind redirects.
func TestPrivateNetworksDenied(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		sdk(w, 200, `1`)
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(app.URL, "http://"))
	denied := newDriver(t, Options{Network: NetworkPolicy{DenyPrivate: true}})
	const reason = "which this server is configured not to call"
	for _, url := range []string{app.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port} {
		if res := call(t, denied, testCall(url)); res.Error == "" || !strings.Contains(res.Error, reason) && !strings.Contains(res.Error, "lookup") {
			t.Errorf("%s: %q", url, res.Error)
		}
	}
	allowed := newDriver(t, Options{Network: NetworkPolicy{DenyPrivate: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
	if res := call(t, allowed, testCall(app.URL)); res.Error != "" {
		t.Errorf("an exception is denied: %s", res.Error)
	}
	if res := call(t, allowed, testCall(app.URL+"?to=http://127.0.0.2:"+port+"/")); !strings.Contains(res.Error, reason) {
		t.Errorf("behind a redirect: %q", res.Error)
	}
	if r := denied.Ping(t.Context(), app.URL, "dev"); r.Error != PingUnreachable {
		t.Errorf("ping: %+v", r)
	}
	if denied.Probe(t.Context(), app.URL) {
		t.Error("the probe reached the app")
	}
}

// Apps that listen on one of the loopback addresses are reached by "localhost".
func TestLocalhost(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			if strings.HasPrefix(addr, "[") {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sdk(w, 200, `1`) })}
		served := make(chan struct{})
		go func() { defer close(served); _ = s.Serve(ln) }()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		if res := call(t, newDriver(t, Options{}), testCall("http://localhost:"+port)); res.Error != "" {
			t.Errorf("%s: %s", addr, res.Error)
		}
		_ = s.Close()
		<-served
	}
}
