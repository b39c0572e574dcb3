package trace

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"strconv"

	"ingot/engine"
)

// sensitive are the headers whose values are not shown.
var sensitive = map[string]bool{
	"Authorization": true, "Cookie": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Set-Cookie": true, "Www-Authenticate": true, "X-Api-Key": true, "X-Inngest-Signature": true,
}

const redacted = "[REDACTED]"

// response is what an answer's record says of the exchange; nil if none came.
func response(l *engine.Lifecycle) *Response {
	if l.Status == 0 {
		return nil
	}
	r := &Response{Status: l.Status, Headers: map[string]string{}}
	headers(l.Header, func(name, value string) {
		switch {
		case sensitive[name]:
			r.Headers[name] = redacted
		case r.Headers[name] != "":
			r.Headers[name] += ", " + value
		default:
			r.Headers[name] = value
		}
	})
	return r
}

// headers calls visit for each header line, with its canonical name.
func headers(raw []byte, visit func(name, value string)) {
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\r\n"))
		raw = rest
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			visit(textproto.CanonicalMIMEHeaderKey(string(bytes.TrimSpace(name))), string(bytes.TrimSpace(value)))
		}
	}
}

// timing is the metadata that the server adds about an exchange. Records have the whole
// duration only: connections are kept open, so nearly all of it is the app's. The wait
// from being due to leaving includes what limits held back.
func timing(c *call) []Metadata {
	if c.answer.Started == 0 && c.answer.Duration == 0 {
		return nil
	}
	total := number(c.answer.Duration / 1e6)
	latency := number(max(c.started-c.queued, 0))
	zero := number(0)
	return []Metadata{
		{Scope: "request", Kind: "inngest.http.timing", UpdatedAt: c.ended, Values: map[string]json.RawMessage{
			"content_transfer_ms": zero, "dns_lookup_ms": zero, "server_processing_ms": total,
			"tcp_connection_ms": zero, "tls_handshake_ms": zero, "total_ms": total,
		}},
		{Scope: "request", Kind: "inngest.timing", UpdatedAt: c.ended, Values: map[string]json.RawMessage{
			"network_total_ms": total, "queue_delay_ms": zero, "system_latency_ms": latency, "total_inngest_ms": latency,
		}},
	}
}

func number(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }
