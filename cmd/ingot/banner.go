package main

import (
	"fmt"
	"io"
	"net"
	"strings"

	"ingot/internal/config"
	"ingot/internal/server"
)

// banner tells a person where the server is and what to do next.
func banner(w io.Writer, srv *server.Server, cfg config.Dev) {
	_, port, _ := net.SplitHostPort(srv.Addr())
	base := "http://localhost:" + port
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n\tIngot dev server online at %s, visible at the following URLs:\n\n", srv.Addr())
	for _, u := range visibleURLs(cfg.Host, port) {
		fmt.Fprintf(&b, "\t - %s\n", u)
	}
	if cfg.Ephemeral {
		fmt.Fprintf(&b, "\n\tData: %s (removed at the end)\n", srv.DataDir())
	} else {
		fmt.Fprintf(&b, "\n\tData: %s (durable; a restart goes on where it was)\n", srv.DataDir())
	}
	switch {
	case len(cfg.SDKURLs) > 0:
		fmt.Fprintf(&b, "\tApps: %s\n", strings.Join(cfg.SDKURLs, ", "))
	case cfg.Discovery:
		b.WriteString("\tApps: scanning local ports. To name yours: ingot dev --no-discovery -u <your-serve-url>\n")
	default:
		b.WriteString("\tApps: none yet. Name yours: ingot dev -u <your-serve-url>\n")
	}
	if port != fmt.Sprint(config.DefaultPort) {
		fmt.Fprintf(&b, "\tSDKs expect port %d; start your app with INNGEST_DEV=%s\n", config.DefaultPort, base)
	}
	fmt.Fprintf(&b, "\n\tSend an event: curl %s/e/dev -d '{\"name\":\"demo/hello\",\"data\":{}}'\n\n", base)
	_, _ = io.WriteString(w, b.String())
}

// visibleURLs are the addresses at which the server answers: one per IPv4
// interface if it listens on all of them.
func visibleURLs(host, port string) []string {
	if host != "" && host != "0.0.0.0" && host != "::" {
		return []string{"http://" + net.JoinHostPort(host, port)}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return []string{"http://localhost:" + port}
	}
	var out []string
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil {
			continue
		}
		u := "http://" + net.JoinHostPort(n.IP.String(), port)
		if n.IP.IsLoopback() {
			u += " (http://localhost:" + port + ")"
		}
		out = append(out, u)
	}
	return out
}
