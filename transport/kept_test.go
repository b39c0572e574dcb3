package transport

import (
	"testing"

	"github.com/valyala/fasthttp"
)

func TestKeptHeader(t *testing.T) {
	t.Parallel()
	var h fasthttp.ResponseHeader
	h.SetNoDefaultContentType(true)
	for _, kv := range [][2]string{
		{"Content-Type", "application/json"}, {"Connection", "keep-alive"}, {"Keep-Alive", "timeout=5"}, {"Date", "now"},
		{"X-Inngest-Sdk", "js:v4"}, {"Set-Cookie", "a=b"}, {"X-Api-Key", "k"}, {"X-Auth-Token", "t"},
	} {
		h.Add(kv[0], kv[1])
	}
	h.SetContentLength(7)
	want := "Content-Type: application/json\r\nSet-Cookie: [redacted]\r\nX-Inngest-Sdk: js:v4\r\nX-Api-Key: [redacted]\r\nX-Auth-Token: [redacted]\r\n"
	if got := string(keptHeader(&h)); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}
