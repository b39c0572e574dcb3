package loadgen

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// syncTimeout bounds the request that makes a real app register itself.
const syncTimeout = 10 * time.Second

// checkAppURL refuses apps on other machines unless they are permitted.
func (p Plan) checkAppURL() error {
	u, err := url.Parse(p.AppURL)
	if err != nil {
		return fmt.Errorf("app-url: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if !local && !p.AllowRemote {
		return fmt.Errorf("app-url %q: the app is not on this machine; permit that with allow-remote", p.AppURL)
	}
	return nil
}

// syncExternal asks a real app to register with its server, as servers do (spec 01
// §5.2). An app that cannot may have registered before, so that is a warning.
func (s *session) syncExternal(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.plan.AppURL, strings.NewReader(`{}`))
	if err != nil {
		s.warn("The app could not be asked to register: %v.", err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		s.warn("The app could not be asked to register: %v.", err)
		return
	}
	defer func() { _ = res.Body.Close() }() // its content does not matter
	if res.StatusCode != http.StatusOK {
		s.warn("The app answered the request to register with status %d.", res.StatusCode)
	}
}
