package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
)

// maxSeconds is the longest profile that may be asked for.
const maxSeconds = 300

// newHandler routes; net/http/pprof answers most of it.
func newHandler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /debug/pprof/mutex", newContention("mutex", setMutexFraction, mutexFraction))
	mux.Handle("GET /debug/pprof/block", newContention("block", setBlockRate, blockRate))
	mux.Handle("GET /debug/vars", newVars(o))
	return guard(mux)
}

// guard bounds what a request may take, and refuses names: a page in a browser
// whose name was made to resolve to loopback must not read this port.
func guard(next http.Handler) http.Handler {
	slots := make(chan struct{}, maxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !localHost(r.Host) {
			http.Error(w, fmt.Sprintf("host %q is not a loopback address", r.Host), http.StatusForbidden)
			return
		}
		if err := checkSeconds(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			http.Error(w, fmt.Sprintf("%d requests are under way", maxRequests), http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkSeconds bounds how long a profile may take. Traces take fractions.
func checkSeconds(r *http.Request) error {
	text := r.FormValue("seconds")
	if text == "" {
		return nil
	}
	if s, err := strconv.ParseFloat(text, 64); err != nil || !(s > 0 && s <= maxSeconds) {
		return fmt.Errorf("seconds must be a number above 0 and up to %d, not %q", maxSeconds, text)
	}
	return nil
}

// localHost judges a Host header.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
