package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// request is one HTTP request. Its target changes when it is redirected.
type request struct {
	target *target
	method string
	step   string // the target's step id
	// headers are complete lines, each ended by CRLF, without Host and
	// Content-Length.
	headers []byte
	body    []byte
	begun   time.Time
	// ownAgent and ownEncoding say that headers has its own User-Agent and
	// Accept-Encoding.
	ownAgent, ownEncoding bool
}

// phaseError says how far an exchange came before it failed.
type phaseError struct {
	phase phase
	err   error
}

type phase uint8

const (
	phaseConnect phase = iota
	// phaseAnswer: the request was written at least in part, no byte came back.
	phaseAnswer
	// phaseHead: the answer had begun.
	phaseHead
	// phaseBody: the answer's head was complete.
	phaseBody
)

func (e *phaseError) Error() string { return e.err.Error() }
func (e *phaseError) Unwrap() error { return e.err }

var errTooLarge = errors.New("the response body exceeds the size limit")

// MaxResponseBytes bounds a decoded response body (spec 01 §8.9).
const MaxResponseBytes = 8 << 20

// maxRedirects is how many redirects are followed (spec 01 §7.1).
const maxRedirects = 60

// readBuffer also bounds the head of a response.
const readBuffer = 16 << 10

// joinBelow is the body size below which head and body go out in one write.
const joinBelow = 64 << 10

// readers are lent to exchanges; an idle connection has none.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// client performs exchanges on pooled connections.
type client struct {
	pool *pool
}

// do sends r and reads the answer into resp, following redirects. deadline
// bounds all of it. buf is scratch for the request's head; the grown one is
// returned. resp.Body is undecoded and at most MaxResponseBytes long.
func (c *client) do(ctx context.Context, r *request, resp *fasthttp.Response, deadline time.Time, buf []byte) ([]byte, error) {
	origin := r.target
	for redirects := 0; ; redirects++ {
		var err error
		if buf, err = c.send(ctx, r, resp, deadline, buf[:0]); err != nil {
			return buf, err
		}
		next, err := redirected(r, origin, resp)
		if err != nil || next == nil {
			return buf, err
		}
		if redirects == maxRedirects {
			return buf, &phaseError{phaseHead, fmt.Errorf("stopped after %d redirects", maxRedirects)}
		}
		r.target = next
	}
}

// redirected returns the target that an answer redirects to, or nil if it is no
// redirect, and changes the method as browsers do. The original query parameters
// are applied again (spec 01 §7.1).
func redirected(r *request, origin *target, resp *fasthttp.Response) (*target, error) {
	method := r.method
	switch resp.StatusCode() {
	case 301, 302, 303:
		if method != "HEAD" {
			method = "GET"
		}
	case 307, 308:
	default:
		return nil, nil
	}
	location := resp.Header.Peek("Location")
	if len(location) == 0 {
		return nil, nil
	}
	base, err := url.Parse(r.target.location(r.step))
	if err != nil {
		return nil, err
	}
	next, err := base.Parse(string(location))
	if err != nil {
		return nil, &phaseError{phaseHead, fmt.Errorf("failed to parse Location header %q: %w", location, err)}
	}
	query := next.Query()
	for key, values := range origin.url.Query() {
		query[key] = values
	}
	if origin.takesStep {
		query.Set(stepParam, r.step)
	}
	next.RawQuery = query.Encode()
	next.Fragment = ""
	t, err := targetOf(next, false)
	if err != nil {
		return nil, &phaseError{phaseHead, err}
	}
	r.method = method
	return t, nil
}

// send performs one exchange. When the connection was an idle one that the app
// had closed, which shows in its end before any byte of an answer, the request
// is sent again on a new connection. A request that may be in the hands of the
// app is never repeated here.
func (c *client) send(ctx context.Context, r *request, resp *fasthttp.Response, deadline time.Time, buf []byte) ([]byte, error) {
	buf = r.appendHead(buf)
	for fresh := false; ; fresh = true {
		conn, err := c.pool.get(ctx, r.begun, deadline, r.target.endpoint, fresh)
		if err != nil {
			return buf, &phaseError{phaseConnect, err}
		}
		reused := conn.exchanges > 0
		buf, err = conn.exchange(r, resp, deadline, buf)
		if err == nil {
			if keepFor := keepFor(resp); keepFor > 0 && conn.readErr == nil {
				c.pool.put(conn, keepFor)
			} else {
				c.pool.discard(conn)
			}
			return buf, nil
		}
		c.pool.discard(conn)
		var pe *phaseError
		if reused && errors.As(err, &pe) && pe.phase == phaseAnswer && closedByPeer(pe.err) {
			continue
		}
		return buf, err
	}
}

// appendHead adds the request line and all headers.
func (r *request) appendHead(dst []byte) []byte {
	dst = append(dst, r.method...)
	dst = append(dst, ' ')
	dst = r.target.appendURI(dst, r.step)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, r.target.url.Host...)
	dst = append(dst, "\r\n"...)
	if !r.ownAgent {
		dst = append(dst, "User-Agent: Inngest\r\n"...)
	}
	if len(r.body) > 0 || r.method == "POST" || r.method == "PUT" || r.method == "PATCH" {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(r.body)), 10)
		dst = append(dst, "\r\n"...)
	}
	if r.target.authorization != "" {
		dst = append(dst, "Authorization: "...)
		dst = append(dst, r.target.authorization...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, r.headers...)
	if !r.ownEncoding {
		dst = append(dst, "Accept-Encoding: gzip\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// exchange writes the request, whose head is in buf, and reads the answer.
func (c *conn) exchange(r *request, resp *fasthttp.Response, deadline time.Time, buf []byte) ([]byte, error) {
	c.exchanges++
	c.received, c.readErr = 0, nil
	_ = c.SetDeadline(deadline) // fails only on a closed connection, as the write will
	head := len(buf)
	writeErr := error(nil)
	if len(r.body) < joinBelow {
		buf = append(buf, r.body...)
		_, writeErr = c.Write(buf)
		buf = buf[:head]
	} else if _, writeErr = c.Write(buf); writeErr == nil {
		_, writeErr = c.Write(r.body)
	}
	if writeErr != nil && !closedByPeer(writeErr) {
		return buf, &phaseError{phaseAnswer, writeErr}
	}
	// An app may refuse a request before it has read all of it, so there can be an
	// answer even if the write failed.
	br := readers.Get().(*bufio.Reader)
	br.Reset(c)
	at, err := readResponse(br, resp, r.method == "HEAD")
	if br.Buffered() > 0 || writeErr != nil {
		resp.SetConnectionClose() // what follows on this connection is not ours
	}
	br.Reset(nil)
	readers.Put(br)
	if err == nil {
		return buf, nil
	}
	switch {
	case c.received == 0:
		at = phaseAnswer
		if c.readErr != nil {
			err = c.readErr
		}
		if writeErr != nil {
			err = writeErr
		}
	case errors.Is(err, errTooLarge):
	case errors.Is(c.readErr, io.EOF):
		err = io.ErrUnexpectedEOF
	case c.readErr != nil:
		err = c.readErr
	case at == phaseHead:
		err = malformed(err)
	}
	return buf, &phaseError{at, err}
}

// malformed shortens fasthttp's report of a head that is not HTTP, which quotes
// everything received.
func malformed(err error) error {
	if small := (*fasthttp.ErrSmallBuffer)(nil); errors.As(err, &small) {
		return fmt.Errorf("the response headers exceed %d bytes", readBuffer)
	}
	text := err.Error()
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return fmt.Errorf("malformed HTTP response: %s", text)
}

// readResponse reads one response, skipping interim ones.
func readResponse(br *bufio.Reader, resp *fasthttp.Response, skipBody bool) (phase, error) {
	resp.Reset()
	resp.Header.SetNoDefaultContentType(true)
	for {
		if err := resp.Header.Read(br); err != nil {
			return phaseHead, err
		}
		if status := resp.StatusCode(); status >= 200 || status == fasthttp.StatusSwitchingProtocols {
			break
		}
	}
	if status := resp.StatusCode(); skipBody || status == 204 || status == 304 || status < 200 {
		return phaseBody, nil
	}
	if resp.Header.ContentLength() > MaxResponseBytes {
		return phaseBody, errTooLarge
	}
	err := resp.ReadBody(br, MaxResponseBytes)
	if err == nil && resp.Header.ContentLength() == -1 && resp.Header.ReadTrailer(br) != nil {
		resp.SetConnectionClose() // the chunked body is complete, what follows is not understood
	}
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		err = errTooLarge
	}
	return phaseBody, err
}

// keepFor is how long the connection may stay idle after this response, as far
// as the app says: 0 is not at all.
func keepFor(resp *fasthttp.Response) time.Duration {
	if resp.ConnectionClose() {
		return 0
	}
	// Node says "Keep-Alive: timeout=5" and closes after about that time. Not using
	// the connection close to that moment avoids most repeats.
	_, after, ok := bytes.Cut(resp.Header.Peek("Keep-Alive"), []byte("timeout="))
	if !ok {
		return time.Hour // bounded by the pool
	}
	digits := 0
	for digits < len(after) && after[digits] >= '0' && after[digits] <= '9' {
		digits++
	}
	seconds, err := strconv.Atoi(string(after[:digits]))
	if err != nil || seconds > 3600 {
		return time.Hour
	}
	return time.Duration(seconds)*time.Second - 500*time.Millisecond
}
