// Package sender posts many requests per second from few cores: one goroutine per
// connection, requests built in a buffer that is used again, no allocation per
// request, and times given out by one pacer.
//
// What does not live here: what the requests say (the caller's Work) and when they
// are due (package pacing).
package sender

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

// dialTimeout bounds connecting.
const dialTimeout = 5 * time.Second

// Endpoint is a URL to which requests are posted. It does not change.
type Endpoint struct {
	address string
	tls     *tls.Config // nil for http
	head    []byte      // request line and headers up to the value of Content-Length
}

// NewEndpoint prepares posts of JSON to a URL with further headers.
func NewEndpoint(rawURL string, headers map[string]string) (*Endpoint, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("url %q: it must begin with http:// or https:// and a host", rawURL)
	}
	e := &Endpoint{address: u.Host}
	if u.Port() == "" {
		e.address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if u.Scheme == "https" {
		e.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	e.head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", u.RequestURI(), u.Host)
	for k, v := range headers {
		e.head = fmt.Appendf(e.head, "%s: %s\r\n", k, v)
	}
	e.head = append(e.head, "Content-Length: "...)
	if len(e.head) > maxHead-gapSlack {
		return nil, fmt.Errorf("url and headers: %d bytes, the limit is %d", len(e.head), maxHead-gapSlack)
	}
	return e, nil
}

func (e *Endpoint) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if e.tls != nil {
		return tls.DialWithDialer(&d, "tcp", e.address, e.tls)
	}
	return d.Dial("tcp", e.address)
}

// maxHead is the room for a head in front of a body; gapSlack that for the
// length's digits and the empty line.
const (
	maxHead  = 4096
	gapSlack = 32
)

// frame writes the head right in front of the body, which begins at maxHead in b,
// and returns the whole request as one slice: one write, without copying the body.
func (e *Endpoint) frame(b []byte) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], int64(len(b)-maxHead), 10)
	at := maxHead - len(e.head) - len(n) - 4
	p := at + copy(b[at:], e.head)
	p += copy(b[p:], n)
	copy(b[p:], "\r\n\r\n")
	return b[at:]
}
