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
func banner(w io.Writer, srv *server.Server, cfg config.Config) {
	_, port, _ := net.SplitHostPort(srv.Addr())
	var b strings.Builder
	b.WriteString(title(cfg, srv.Addr()))
	for _, u := range visibleURLs(cfg.Host, port) {
		fmt.Fprintf(&b, "\t - %s\n", u)
	}
	if cfg.Ephemeral {
		fmt.Fprintf(&b, "\n\tData: %s (removed at the end)\n", srv.DataDir())
	} else {
		fmt.Fprintf(&b, "\n\tData: %s (durable; a restart goes on where it was)\n", srv.DataDir())
	}
	fmt.Fprintf(&b, "\tApps: %s\n", apps(cfg))
	base := "http://localhost:" + port
	key := "dev"
	if cfg.Mode == config.ModeStart {
		key = "$INNGEST_EVENT_KEY" // the real one is a secret
	} else if port != fmt.Sprint(config.DefaultPort) {
		fmt.Fprintf(&b, "\tSDKs expect port %d; start your app with INNGEST_DEV=%s\n", config.DefaultPort, base)
	}
	fmt.Fprintf(&b, "\n\tSend an event: curl %s/e/%s -d '{\"name\":\"demo/hello\",\"data\":{}}'\n\n", base, key)
	_, _ = io.WriteString(w, b.String())
}

func title(cfg config.Config, addr string) string {
	name, what := "dev server", "visible at the following URLs"
	if cfg.Mode == config.ModeStart {
		name = "server"
	}
	if cfg.NoUI {
		what = "web UI and GraphQL API endpoint disabled"
	}
	return fmt.Sprintf("\n\n\tIngot %s online at %s, %s:\n\n", name, addr, what)
}

// apps tells which apps there will be, or how to get some.
func apps(cfg config.Config) string {
	switch {
	case len(cfg.SDKURLs) > 0:
		return strings.Join(cfg.SDKURLs, ", ")
	case cfg.Mode == config.ModeStart:
		return "those that sync themselves. To name one: ingot start -u <your-serve-url>"
	case cfg.Discovery:
		return "scanning local ports. To name yours: ingot dev --no-discovery -u <your-serve-url>"
	}
	return "none yet. Name yours: ingot dev -u <your-serve-url>"
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
