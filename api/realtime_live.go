package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"
)

// Bodies that are passed on while they arrive. fasthttp either reads all bodies
// as a whole, which is right for every other route, or gives all of them as
// streams, which costs the event API copies. So a chunked publication is told
// apart as soon as its header is there: its body is hidden from fasthttp, and the
// handler takes over the connection and reads it itself.

const (
	// headerLive marks a request whose chunked body is still on the connection.
	headerLive = "X-Ingot-Live-Body"
	// maxLive bounds the connections that publish in this way.
	maxLive = 2000
	// liveIdle bounds the wait for the next bytes.
	liveIdle = 2 * time.Minute
	// lingerTime and lingerBytes bound what is read of a body after its refusal.
	lingerTime  = 2 * time.Second
	lingerBytes = 4 << 20
	// handOverTime bounds the time between a handler's end and the takeover.
	handOverTime = 10 * time.Second
)

// hideLiveBody makes fasthttp believe that a chunked publication has no body.
func hideLiveBody(h *fasthttp.RequestHeader) {
	h.Del(headerLive) // nobody else may set it
	if h.ContentLength() == -1 && h.IsPost() && bytes.HasPrefix(h.RequestURI(), []byte(realtimePublishPath)) {
		h.SetContentLength(0)
		h.Del(fasthttp.HeaderTransferEncoding)
		h.Set(headerLive, "1")
		h.SetConnectionClose() // what is not read of the body must not become a request
	}
}

// receive gives a publication's body to consume, live if it is chunked, and
// answers when consume has returned. A nil consume means that ctx is answered.
func (s *Server) receive(ctx *fasthttp.RequestCtx, consume func(io.Reader) error) {
	if len(ctx.Request.Header.Peek(headerLive)) == 0 {
		if consume != nil {
			s.receiveReply(ctx, consume(bytes.NewReader(ctx.PostBody())))
		}
		return
	}
	if s.live.Add(1) > maxLive {
		s.live.Add(-1)
		ctx.SetConnectionClose()
		publicErr(ctx, fasthttp.StatusServiceUnavailable, "", "Too many streams are being published")
		return
	}
	release := func() { s.live.Add(-1) }
	begin := s.handOver(release)
	// The answer is written here, not by fasthttp; its headers are those of any other.
	var reply fasthttp.RequestCtx
	reply.Init(&fasthttp.Request{}, nil, nil)
	ctx.Response.CopyTo(&reply.Response)
	reply.SetConnectionClose()
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		if !begin() {
			return
		}
		defer s.streams.Done()
		defer release()
		defer s.survive("publish")
		// The server's end ends a read that waits.
		stopped := make(chan struct{})
		stop := context.AfterFunc(s.closing, func() {
			defer close(stopped)
			_ = c.SetReadDeadline(time.Now())
		})
		defer func() {
			if !stop() {
				<-stopped // c is fasthttp's again when this returns
			}
		}()
		body := &liveReader{
			conn: c, r: httputil.NewChunkedReader(c), end: time.Now().Add(streamLife), closing: s.closing,
		}
		if consume != nil {
			s.receiveReply(&reply, consume(body))
		}
		_ = c.SetWriteDeadline(time.Now().Add(writeDeadline))
		w := bufio.NewWriter(c)
		if err := reply.Response.Write(w); err != nil || w.Flush() != nil {
			return
		}
		// A client that is still sending would not see the answer if the connection
		// were cut at once.
		body.end = time.Now().Add(lingerTime)
		_, _ = io.CopyN(io.Discard, body, lingerBytes)
	})
}

// handOver counts a connection that its handler is about to take over. fasthttp
// drops a takeover silently if the connection breaks first; undo then runs after
// a while instead. The taker calls begin, gives up if it returns false, and else
// calls streams.Done at the end.
func (s *Server) handOver(undo func()) (begin func() bool) {
	s.streams.Add(1)
	t := time.AfterFunc(handOverTime, func() {
		undo()
		s.streams.Done()
	})
	return t.Stop
}

// survive turns a panic of a taken over connection into a log line: nobody else
// catches it, and it would end the process with all its runs.
func (s *Server) survive(what string) {
	if r := recover(); r != nil {
		s.log.Error("a realtime connection panicked", "kind", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	}
}

// receiveReply answers a publication.
func (s *Server) receiveReply(ctx *fasthttp.RequestCtx, err error) {
	var long tooLong
	switch {
	case err == nil:
	case errors.As(err, &long):
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "Invalid request: "+long.Error())
	default:
		publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid request: "+err.Error())
	}
}

// liveReader reads a chunked body from a connection, with deadlines.
type liveReader struct {
	conn net.Conn
	r    io.Reader
	end  time.Time
	// closing ends when the server does.
	closing context.Context
}

func (l *liveReader) Read(p []byte) (int, error) {
	deadline := time.Now().Add(liveIdle)
	if deadline.After(l.end) {
		deadline = l.end
	}
	if err := l.conn.SetReadDeadline(deadline); err != nil {
		return 0, err //nolint:wrapcheck // the publisher's own connection
	}
	if err := l.closing.Err(); err != nil {
		return 0, err //nolint:wrapcheck // the reason is the caller's to tell
	}
	return l.r.Read(p) //nolint:wrapcheck // io.EOF must stay as it is
}
