package golden

import (
	"bufio"
	"bytes"
	"net"
	"net/textproto"
	"time"

	"github.com/valyala/fasthttp"
)

// call is a request that the server made to the app.
type call struct {
	method, path string
	header       Header
	body         []byte
}

// readCall copies a request, with the header names as they were on the wire.
func readCall(ctx *fasthttp.RequestCtx) *call {
	c := &call{
		method: string(ctx.Method()),
		path:   string(ctx.RequestURI()),
		header: Header{},
		body:   append([]byte(nil), ctx.Request.Body()...),
	}
	for _, line := range bytes.Split(ctx.Request.Header.RawHeaders(), []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok {
			c.header[string(name)] = append(c.header[string(name)], string(bytes.TrimSpace(value)))
		}
	}
	return c
}

// listen serves a scripted app on a free port of the loopback. Header names stay
// as they are in both directions.
func listen(handler fasthttp.RequestHandler) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &fasthttp.Server{
		Handler:                       handler,
		DisableHeaderNamesNormalizing: true,
		NoDefaultServerHeader:         true,
		NoDefaultContentType:          true,
		MaxRequestBodySize:            64 << 20,
		Logger:                        quiet{},
		CloseOnShutdown:               true,
	}
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), func() {
		_ = l.Close()
		go func() { _ = s.Shutdown() }()
	}, nil
}

// quiet drops the app server's complaints about connections that the server under
// test closes: dropping them is part of some recordings.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// upstream is the third server of the recordings; its one answer stands in the memos.
func upstream(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Content-Type", "application/json")
	ctx.SetBodyString(`{"up":true}`)
}

// write sends a recorded answer.
func write(ctx *fasthttp.RequestCtx, r *Response, b *Bindings, at time.Time) error {
	if r == nil || r.Connection != "" || r.Error != "" {
		ctx.HijackSetNoResponse(true)
		ctx.Hijack(func(c net.Conn) { _ = c.Close() })
		return nil
	}
	ctx.SetStatusCode(r.Status)
	for _, name := range r.Headers.Names() {
		if hopHeaders[textproto.CanonicalMIMEHeaderKey(name)] {
			continue
		}
		for _, v := range r.Headers[name] {
			ctx.Response.Header.Add(name, b.Expand(v, at))
		}
	}
	text, err := r.Body.Text()
	if err != nil {
		return err
	}
	chunks := r.Chunks
	if chunks == nil && r.Status == fasthttp.StatusCreated && len(text) > 1 && text[0] == ' ' {
		// A streamed answer whose chunks were not noted: keep-alive bytes, then the answer.
		chunks = []Chunk{{Data: text[:1], Delay: 1}, {Data: text[1:]}}
	}
	if chunks == nil && len(ctx.Request.Header.Peek("X-Run-Id")) == 0 && r.Headers.Get("Content-Length") == "" {
		// A gateway step memoises the headers of what it fetched, so it shows that the
		// recorded answer had no length.
		chunks = []Chunk{{Data: text}}
	}
	if chunks == nil {
		if r.Body.Base64 == "" {
			text = b.Expand(text, at)
		}
		ctx.SetBodyString(text)
		return nil
	}
	chunks = append([]Chunk(nil), chunks...)
	for i := range chunks {
		chunks[i].Data = b.Expand(chunks[i].Data, at)
	}
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		for _, c := range chunks {
			if _, err := w.WriteString(c.Data); err != nil || w.Flush() != nil {
				return
			}
			time.Sleep(time.Duration(c.Delay) * time.Millisecond)
		}
	})
	return nil
}
