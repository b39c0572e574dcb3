package api

import (
	"fmt"
	"testing"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{})
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
		allowed      string
		vary         string
	}{
		{"pre-flight", "OPTIONS", []string{"Origin", "http://x.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type, x-a"}, 200,
			"http://x.test|POST|Content-Type, X-A|3600", "[Origin Access-Control-Request-Method Access-Control-Request-Headers]"},
		{"pre-flight without headers", "OPTIONS", []string{"Origin", "http://x.test", "Access-Control-Request-Method", "GET"}, 200,
			"http://x.test|GET||3600", "[Origin Access-Control-Request-Method Access-Control-Request-Headers]"},
		{"method not allowed", "OPTIONS", []string{"Origin", "http://x.test", "Access-Control-Request-Method", "PATCH"}, 200,
			"|||", "[Origin Access-Control-Request-Method Access-Control-Request-Headers]"},
		{"no origin", "OPTIONS", []string{"Access-Control-Request-Method", "GET"}, 200,
			"|||", "[Origin Access-Control-Request-Method Access-Control-Request-Headers]"},
		{"no pre-flight", "OPTIONS", []string{"Origin", "http://x.test"}, 405, "http://x.test|||", "[Origin]"},
		{"request", "POST", []string{"Origin", "http://x.test"}, 200, "http://x.test|||", "[Origin]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := call(s, c.method, "/e/key", "", c.headers...)
			h := &res.Header
			allowed := fmt.Sprintf("%s|%s|%s|%s", h.Peek(headerAllowOrigin), h.Peek(headerAllowMethods), h.Peek(headerAllowHeaders), h.Peek(headerMaxAge))
			vary := fmt.Sprintf("%s", h.PeekAll("Vary"))
			if res.StatusCode() != c.status || allowed != c.allowed || vary != c.vary {
				t.Errorf("%d %s %s, want %d %s %s", res.StatusCode(), allowed, vary, c.status, c.allowed, c.vary)
			}
			if kind := string(h.Peek("X-Inngest-Server-Kind")); (kind == "") != (vary != "[Origin]") {
				t.Errorf("server kind %q", kind)
			}
		})
	}
}
