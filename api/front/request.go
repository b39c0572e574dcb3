package front

import "bytes"

// Request is a request to the event API. Its parts are in the loop's memory.
type Request struct {
	// Key is the event key: what the path has behind the prefix.
	Key []byte
	// Seed is the value of X-Inngest-Event-Id-Seed; empty without one.
	Seed []byte
	Body []byte
}

// verdict says what to do with what has arrived of a request.
type verdict int8

const (
	whole  verdict = iota // a usual request is there
	partly                // a usual one so far, which has not arrived in whole
	other                 // one for the server behind
)

const (
	requestPrefix = "POST /e/"
	requestProto  = " HTTP/1.1\r"
)

// parse reads the request at the beginning of b, whose body may have maxBody bytes. Usual
// is what senders of events do: POST with HTTP/1.1, a plain key, one plain Host, one
// Content-Length and none of the headers that change how a request is to be read or
// answered. Everything else, from a chunked or compressed body to a malformed line, is for
// a server that knows all of HTTP, and sees the same bytes.
//
// Whatever is whole here must be the same request there: two readings of where it ends
// would let a client smuggle one request within another past a proxy. FuzzParse holds both
// against each other.
//
// n is the length of the request with its body if it is whole, or partly there with all
// of its head; else 0.
func (r *Request) parse(b []byte, maxBody int) (n int, v verdict) {
	*r = Request{}
	if len(b) < len(requestPrefix) {
		if string(b) != requestPrefix[:len(b)] {
			return 0, other
		}
		return 0, partly
	}
	if string(b[:len(requestPrefix)]) != requestPrefix {
		return 0, other
	}
	line, rest, ok := bytes.Cut(b[len(requestPrefix):], []byte{'\n'})
	if !ok {
		return 0, unfinished(b)
	}
	r.Key, ok = bytes.CutSuffix(line, []byte(requestProto))
	if !ok || !plainKey(r.Key) {
		return 0, other
	}
	h := headers{length: -1}
	for {
		line, rest, ok = bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return 0, unfinished(b)
		}
		if line, ok = bytes.CutSuffix(line, []byte{'\r'}); !ok {
			return 0, other
		}
		if len(line) == 0 {
			break
		}
		if !h.add(line) {
			return 0, other
		}
	}
	head := len(b) - len(rest)
	if h.length < 0 || !h.host || head > maxHead || head+h.length > MaxRequest || h.length > maxBody {
		return 0, other
	}
	if n = head + h.length; n > len(b) {
		return n, partly
	}
	r.Seed, r.Body = h.seed, b[head:n:n]
	return n, whole
}

// unfinished is the verdict on a head without its end.
func unfinished(b []byte) verdict {
	if len(b) > maxHead {
		return other
	}
	return partly
}

// headers are the headers that matter.
type headers struct {
	host   bool
	length int // -1 without one
	seeded bool
	seed   []byte
}

// add reads a header line. It returns false if the line makes the request unusual.
func (h *headers) add(line []byte) bool {
	n := nameLen(line)
	if n == 0 {
		return false
	}
	value := bytes.Trim(line[n+1:], " \t")
	if !plainValue(value) {
		return false
	}
	switch header(line[:n]) {
	case hostHeader:
		if h.host || !plainHost(value) {
			return false
		}
		h.host = true
	case lengthHeader:
		if h.length >= 0 {
			return false
		}
		h.length = decimal(value)
		return h.length >= 0
	case seedHeader:
		if h.seeded {
			return false
		}
		h.seeded, h.seed = true, value
	case connectionHeader:
		return bytes.EqualFold(value, []byte("keep-alive"))
	case unusualHeader:
		return false
	}
	return true
}

type headerKind int8

const (
	plainHeader headerKind = iota
	hostHeader
	lengthHeader
	seedHeader
	connectionHeader
	unusualHeader
)

// header tells the headers apart that matter. Unusual are those that change the framing
// of a request (RFC 9112 §6, §9), ask for more than one response, or change the response.
func header(name []byte) headerKind {
	var kind headerKind
	var want string
	switch len(name) {
	case len("Host"):
		kind, want = hostHeader, "Host"
	case len("Expect"):
		if bytes.EqualFold(name, []byte("Expect")) || bytes.EqualFold(name, []byte("Origin")) {
			return unusualHeader
		}
		return plainHeader
	case len("Upgrade"):
		if bytes.EqualFold(name, []byte("Upgrade")) || bytes.EqualFold(name, []byte("Trailer")) {
			return unusualHeader
		}
		return plainHeader
	case len("Connection"):
		kind, want = connectionHeader, "Connection"
	case len("Content-Length"):
		kind, want = lengthHeader, "Content-Length"
	case len("Content-Encoding"):
		kind, want = unusualHeader, "Content-Encoding"
	case len("Transfer-Encoding"):
		kind, want = unusualHeader, "Transfer-Encoding"
	case len("X-Inngest-Event-Id-Seed"):
		kind, want = seedHeader, "X-Inngest-Event-Id-Seed"
	default:
		return plainHeader
	}
	if !bytes.EqualFold(name, []byte(want)) {
		return plainHeader
	}
	return kind
}
