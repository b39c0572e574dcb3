// Package capture fetches profiles and figures from a server's admin port.
//
// What does not live here: the admin port itself (internal/admin), and what is
// made of the profiles.
package capture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// slack is how much longer than its profile a request may take.
	slack = 30 * time.Second
	// maxBytes bounds an answer; traces of a loaded server are the largest.
	maxBytes = 1 << 30
	// errorBytes is how much of an error's text is shown.
	errorBytes = 300
)

// Client asks one admin port.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the admin port at addr (HOST:PORT).
func New(addr string) *Client {
	return &Client{base: "http://" + addr, http: &http.Client{Transport: &http.Transport{}}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Profile takes /debug/pprof/<name> over d, in whole seconds; 0 is a snapshot.
func (c *Client) Profile(ctx context.Context, name string, d time.Duration) ([]byte, error) {
	query := url.Values{}
	if d > 0 {
		query.Set("seconds", fmt.Sprint(max(1, int(d.Round(time.Second).Seconds()))))
	}
	body, err := c.get(ctx, "/debug/pprof/"+name, query, d+slack)
	if err != nil {
		return nil, fmt.Errorf("taking the %s profile: %w", name, err)
	}
	return body, nil
}

// Vars are the figures that a session needs from /debug/vars.
type Vars struct {
	Process struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		Procs   int    `json:"gomaxprocs"`
	} `json:"process"`
	Runtime struct {
		AllocBytes   uint64  `json:"alloc_bytes"`
		AllocObjects uint64  `json:"alloc_objects"`
		GCCycles     uint64  `json:"gc_cycles"`
		GCCPU        float64 `json:"gc_cpu_seconds"`
		HeapLive     uint64  `json:"heap_live_bytes"`
		Goroutines   uint64  `json:"goroutines"`
	} `json:"runtime"`
	Store struct {
		// LogHead counts the events that were ever accepted.
		LogHead uint64
		Syncs   uint64
	} `json:"store"`
}

// Vars reads /debug/vars.
func (c *Client) Vars(ctx context.Context) (Vars, error) {
	var v Vars
	body, err := c.get(ctx, "/debug/vars", nil, slack)
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		return v, fmt.Errorf("reading the server's figures: %w", err)
	}
	return v, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d: %s", res.StatusCode, strings.TrimSpace(string(body[:min(len(body), errorBytes)])))
	case len(body) > maxBytes:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxBytes)
	}
	return body, nil
}
