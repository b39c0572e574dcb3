package transport

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// endpoint is where connections go. It is the key of the connection pool.
type endpoint struct {
	host string // without brackets; the TLS server name
	port string
	tls  bool
}

// target is a parsed URL, ready to be written into requests.
type target struct {
	url      *url.URL
	endpoint endpoint
	// authorization is the header's value for a URL with a user.
	authorization string
	// before and after are the request URI around the step id. Targets that take
	// no step id have everything in before.
	before, after string
	takesStep     bool
	// lambda says that the URL is AWS's runtime emulator (lambda.go).
	lambda bool
}

const stepParam = "stepId"

// newTarget parses an absolute http or https URL and, with takesStep, makes room
// for the stepId parameter (spec 01 §7.1): the other parameters stay, sorted.
func newTarget(raw string, takesStep bool) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	return targetOf(u, takesStep)
}

func targetOf(u *url.URL, takesStep bool) (*target, error) {
	t := &target{url: u, takesStep: takesStep, lambda: takesStep && strings.Contains(u.Path, lambdaPath)}
	t.endpoint = endpoint{host: u.Hostname(), port: u.Port()}
	switch u.Scheme {
	case "http":
		if t.endpoint.port == "" {
			t.endpoint.port = "80"
		}
	case "https":
		t.endpoint.tls = true
		if t.endpoint.port == "" {
			t.endpoint.port = "443"
		}
	default:
		return nil, fmt.Errorf("unsupported protocol scheme %q", u.Scheme)
	}
	if t.endpoint.host == "" {
		return nil, fmt.Errorf("no host in URL %q", u.Redacted())
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("invalid host %q: only ASCII is accepted, use the punycode form", u.Host)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		t.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if !takesStep {
		t.before = path
		if u.RawQuery != "" {
			t.before += "?" + strings.ReplaceAll(u.RawQuery, " ", "%20") // url.Parse refuses what else could break the line
		}
		return t, nil
	}
	query := u.Query()
	query.Del(stepParam)
	keys := make([]string, 0, len(query))
	for k := range query {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	at, _ := slices.BinarySearch(keys, stepParam)
	encode := func(keys []string) string {
		part := url.Values{}
		for _, k := range keys {
			part[k] = query[k]
		}
		return part.Encode()
	}
	t.before = path + "?"
	if front := encode(keys[:at]); front != "" {
		t.before += front + "&"
	}
	t.before += stepParam + "="
	if back := encode(keys[at:]); back != "" {
		t.after = "&" + back
	}
	return t, nil
}

// appendURI adds the request URI.
func (t *target) appendURI(dst []byte, step string) []byte {
	dst = append(dst, t.before...)
	if t.takesStep {
		dst = append(dst, url.QueryEscape(step)...) // returns step itself if nothing is to be escaped
	}
	return append(dst, t.after...)
}

// location is the absolute URL that is called, for error texts and redirects.
func (t *target) location(step string) string {
	return t.url.Scheme + "://" + t.url.Host + string(t.appendURI(nil, step))
}

// targets caches the targets of function URLs, so that a call parses nothing.
type targets struct {
	mu sync.RWMutex
	m  map[string]*target
}

// maxTargets bounds the cache. It holds one entry per function URL in use; when
// URLs come and go for long enough to fill it, it starts over.
const maxTargets = 1 << 14

func (c *targets) get(raw string) (*target, error) {
	c.mu.RLock()
	t := c.m[raw]
	c.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	t, err := newTarget(raw, true)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxTargets {
		c.m = make(map[string]*target)
	}
	c.m[raw] = t
	return t, nil
}
