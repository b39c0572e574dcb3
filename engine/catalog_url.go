package engine

import (
	"net/url"
	"strings"
)

// NormalizeURL brings the URL of an app into the form in which apps are stored
// and compared (spec 01 §5.6): without the SDKs' own query parameters and default
// ports, and with one name for this machine. What is no URL is returned as it is.
func NormalizeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	if u.RawQuery != "" {
		q := u.Query()
		q.Del("deployId")
		q.Del("probe")
		u.RawQuery = q.Encode()
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case port == "80" && u.Scheme == "http", port == "443" && u.Scheme == "https":
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	case port != "" && (host == "127.0.0.1" || host == "0.0.0.0"):
		u.Host = "localhost:" + port
	}
	return u.String()
}

// NormalizeUserURL is NormalizeURL for what people type: a missing scheme is http.
func NormalizeUserURL(raw string) string {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	return NormalizeURL(raw)
}
