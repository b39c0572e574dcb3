package api

import (
	"errors"
	"io"
	"net"
	"strconv"
	"time"
	"unsafe"

	"ingot/api/front"
	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/deadline"

	"github.com/valyala/fasthttp"
)

// frontPatience is how long a request may be on its way before the front leaves it to
// fasthttp, which then gives it readTimeout.
const frontPatience = 5 * time.Second

// front returns ln with the front that takes events in before it, where there is one.
func (s *Server) front(ln net.Listener) net.Listener {
	return front.Listen(ln, front.Options{
		NewHandler:     func() front.Handler { return &frontIngest{server: s} },
		Log:            s.opts.Log,
		MaxBody:        s.opts.MaxBody,
		MaxConnections: s.opts.MaxConnections,
		RequestTimeout: frontPatience,
		IdleTimeout:    idleTimeout,
		WriteTimeout:   writeTimeout,
		Logger:         s.log,
	})
}

// frontIngest is Server.ingest for the front. It declines what needs more of the request
// than the front knows: unknown keys and what may be a form.
type frontIngest struct {
	server *Server
	ingest ingest
	// dateAt is the unix second of date.
	dateAt int64
	date   []byte
}

// Take implements front.Handler.
func (f *frontIngest) Take(b *front.Batch, r *front.Request) bool {
	if !f.server.keys.ok(unsafe.String(unsafe.SliceData(r.Key), len(r.Key))) {
		return false
	}
	now := time.Now()
	in := &f.ingest
	in.begin()
	in.records = b.Records
	err := f.server.parse(in, r.Seed, r.Body, now.UnixMilli())
	records, accepted := in.records, in.n
	status, retry := fasthttp.StatusOK, false
	switch {
	case err == nil:
		in.done()
	case errors.Is(err, event.ErrBody):
		return false
	case errors.As(err, new(*engine.BacklogError)):
		status, retry = f.server.refuse(in, err), true
		records, accepted = b.Records, 0
	default:
		status = fasthttp.StatusBadRequest
		in.failed(status, err)
	}
	b.Records, b.Count = records, b.Count+accepted
	b.Responses = f.server.appendResponse(b.Responses, status, f.dateOf(now), in.reply, retry)
	return true
}

// appendResponse appends what fasthttp would send.
func (s *Server) appendResponse(dst []byte, status int, date, body []byte, retry bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, fasthttp.StatusMessage(status)...)
	dst = append(dst, "\r\nDate: "...)
	dst = append(dst, date...)
	dst = append(dst, "\r\nContent-Type: "+contentTypeJSON+"\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n"+headerVary+": "+headerOrigin+"\r\nX-Inngest-Server-Kind: "...)
	dst = append(dst, kindValue(s.opts.Mode)...)
	if retry {
		dst = append(dst, "\r\n"+headerRetryAfter+": "+retryAfterSeconds...)
	}
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// dateOf is the value of a Date header.
func (f *frontIngest) dateOf(t time.Time) []byte {
	if unix := t.Unix(); unix != f.dateAt {
		f.date, f.dateAt = fasthttp.AppendHTTPDate(f.date[:0], t), unix
	}
	return f.date
}

// AppendRefusal implements front.Handler.
func (f *frontIngest) AppendRefusal(dst []byte, err error) []byte {
	in := ingests.Get().(*ingest)
	defer in.release()
	status := f.server.refuse(in, err)
	return f.server.appendResponse(dst, status, fasthttp.AppendHTTPDate(nil, time.Now()), in.reply, true)
}

// returnToFront gives the connection back to the front after the response, if it has sent so
// many events that this is worth it. Others' requests and odd ones have brought it here.
func (s *Server) returnToFront(ctx *fasthttp.RequestCtx) {
	outer, ok := ctx.Conn().(*deadline.Conn)
	if !ok {
		return
	}
	c, ok := outer.Conn.(front.Conn)
	if !ok || !c.Event() || s.draining.Load() {
		return
	}
	ctx.Hijack(func(hijacked net.Conn) {
		// What fasthttp has read of the next request; it comes without a wait.
		_ = hijacked.SetReadDeadline(time.Unix(1, 0))
		head, _ := io.ReadAll(hijacked)
		c.Return(head)
	})
}
