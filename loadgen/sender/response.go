package sender

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

var errMalformed = errors.New("malformed response")

// reader reads responses of one connection and skips their bodies.
type reader struct {
	src   io.Reader
	buf   []byte // unread bytes are buf[at:]
	at    int
	close bool // the server closes the connection after this response
}

func (r *reader) reset() { r.buf, r.at, r.close = r.buf[:0], 0, false }

// response reads one response and returns its status. Informational ones are skipped.
func (r *reader) response() (int, error) {
	for {
		status, length, err := r.headers()
		if err != nil {
			return 0, err
		}
		switch {
		case status < 200:
			continue
		case status == 204 || status == 304:
			return status, nil
		case length == lengthChunked:
			return status, r.skipChunks()
		case length == lengthUnknown:
			r.close = true
			return status, r.skipAll()
		}
		return status, r.skip(length)
	}
}

// Lengths that no header has.
const (
	lengthUnknown = -1
	lengthChunked = -2
)

func (r *reader) headers() (status, length int, err error) {
	line, err := r.line()
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, 0, fmt.Errorf("%w: it begins with %q", errMalformed, line[:min(len(line), 40)])
	}
	status, ok := number(line[9:12], 10)
	if !ok {
		return 0, 0, fmt.Errorf("%w: status %q", errMalformed, line[9:12])
	}
	r.close = line[7] == '0'
	length = lengthUnknown
	for {
		if line, err = r.line(); err != nil {
			return 0, 0, err
		}
		if len(line) == 0 {
			return status, length, nil
		}
		if length, err = r.header(line, length); err != nil {
			return 0, 0, err
		}
	}
}

// header looks at one header line; length is what is known of the body so far.
func (r *reader) header(line []byte, length int) (int, error) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return 0, fmt.Errorf("%w: header %q", errMalformed, line[:min(len(line), 40)])
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	switch {
	case is(name, "content-length") && length != lengthChunked:
		n, ok := number(value, 10)
		if !ok {
			return 0, fmt.Errorf("%w: content-length %q", errMalformed, value)
		}
		return n, nil
	case is(name, "transfer-encoding") && is(value, "chunked"):
		return lengthChunked, nil
	case is(name, "connection"):
		r.close = r.close && !is(value, "keep-alive") || is(value, "close")
	}
	return length, nil
}

// is compares ASCII without case; lower is in lower case.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// number reads all of b in base 10 or 16.
func number(b []byte, base int) (n int, ok bool) {
	for _, c := range b {
		var d int
		switch {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		default:
			return 0, false
		}
		if n = n*base + d; n > 1<<40 {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// line returns the next line without its end. It is valid until the next read.
func (r *reader) line() ([]byte, error) {
	for from := r.at; ; {
		if i := bytes.IndexByte(r.buf[from:], '\n'); i >= 0 {
			line := r.buf[r.at : from+i]
			r.at = from + i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		from = len(r.buf)
		if r.at > 0 { // make room, keep what is unread
			from -= r.at
			r.buf, r.at = r.buf[:copy(r.buf, r.buf[r.at:])], 0
		}
		if len(r.buf) == cap(r.buf) {
			return nil, fmt.Errorf("%w: a line of more than %d bytes", errMalformed, cap(r.buf))
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads once behind the unread bytes.
func (r *reader) fill() error {
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (r *reader) skip(n int) error {
	for {
		have := min(n, len(r.buf)-r.at)
		r.at += have
		if n -= have; n == 0 {
			return nil
		}
		r.buf, r.at = r.buf[:0], 0
		if err := r.fill(); err != nil {
			return err
		}
	}
}

func (r *reader) skipAll() error {
	for {
		r.buf, r.at = r.buf[:0], 0
		if err := r.fill(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *reader) skipChunks() error {
	for {
		line, err := r.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, ok := number(bytes.TrimSpace(size), 16)
		if !ok {
			return fmt.Errorf("%w: chunk size %q", errMalformed, size)
		}
		if n == 0 {
			return r.trailers()
		}
		if err := r.skip(n + len("\r\n")); err != nil {
			return err
		}
	}
}

func (r *reader) trailers() error {
	for {
		line, err := r.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}
