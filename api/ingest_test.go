package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/engine/event"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// call sends one request to the handler of s. headers are pairs.
func call(s *Server, method, uri, body string, headers ...string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(uri)
	ctx.Request.SetBodyString(body)
	for i := 0; i < len(headers); i += 2 {
		ctx.Request.Header.Set(headers[i], headers[i+1])
	}
	s.Handler(&ctx)
	res := &fasthttp.Response{}
	ctx.Response.CopyTo(res)
	return res
}

// reply is the answer of the event API.
type reply struct {
	IDs    []string `json:"ids"`
	Status int      `json:"status"`
	Error  string   `json:"error"`
}

func send(t *testing.T, s *Server, body string, headers ...string) (reply, *fasthttp.Response) {
	t.Helper()
	res := call(s, "POST", "/e/key", body, headers...)
	var r reply
	if err := json.Unmarshal(res.Body(), &r); err != nil {
		t.Fatalf("body %q: %v", res.Body(), err)
	}
	if r.Status != res.StatusCode() {
		t.Errorf("status %d in the body, %d on the wire", r.Status, res.StatusCode())
	}
	return r, res
}

func newIngestServer(o Options) (*Server, *memLog) {
	log := &memLog{}
	o.Log, o.Engine = log, &logEngine{log: log}
	return NewServer(o), log
}

var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"GZIP":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"deflate, raw": func(w io.Writer) io.WriteCloser {
		f, _ := flate.NewWriter(w, flate.BestSpeed)
		return f
	},
	"zstd": func(w io.Writer) io.WriteCloser {
		z, _ := zstd.NewWriter(w)
		return z
	},
}

func compressed(t *testing.T, encoding, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := compressors[encoding](&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestIngestCompressed(t *testing.T) {
	t.Parallel()
	for encoding := range compressors {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			header, _, _ := strings.Cut(encoding, ",")
			s, log := newIngestServer(Options{MaxBody: 1 << 20})
			// Three times, since decompressors are used again.
			for i := range 3 {
				body := fmt.Sprintf(`[{"name":"a/b","data":{"i":%d,"s":%q}},{"name":"c"}]`, i, strings.Repeat("xyz", 1000*i))
				r, _ := send(t, s, compressed(t, encoding, body), "Content-Encoding", header)
				if r.Status != 200 || len(r.IDs) != 2 {
					t.Fatalf("request %d: %+v", i, r)
				}
			}
			if got := log.events(t); len(got) != 6 || string(got[4].Name) != "a/b" {
				t.Errorf("%d events in the log", len(got))
			}
			bomb := compressed(t, encoding, `{"name":"`+strings.Repeat("a", 1<<20)+`"}`)
			if r, _ := send(t, s, bomb, "Content-Encoding", header); r.Status != 413 || r.Error != "Request body is over the max size: Max 1048576 bytes" {
				t.Errorf("too large: %+v", r)
			}
			broken := compressed(t, encoding, `{"name":"a"}`)
			if r, _ := send(t, s, broken[:len(broken)-2], "Content-Encoding", header); r.Status != 400 || !strings.HasPrefix(r.Error, "Unable to decompress "+strings.ToLower(header)) {
				t.Errorf("cut: %+v", r)
			}
			if r, _ := send(t, s, "", "Content-Encoding", header); r.Status != 200 || r.IDs[0] != "" {
				t.Errorf("empty: %+v", r)
			}
			if r, _ := send(t, s, `{"name":"plain"}`, "Content-Encoding", header); r.Status != 200 {
				t.Errorf("a plain body with the header: %+v", r)
			}
		})
	}
}

func TestIngestUnknownEncodingIsIgnored(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{})
	if r, _ := send(t, s, `{"name":"a"}`, "Content-Encoding", "utf-8"); r.Status != 200 {
		t.Errorf("%+v", r)
	}
}

func TestIngestRefusedByTheLog(t *testing.T) {
	t.Parallel()
	for _, refuse := range []error{engine.ErrLogFull, fmt.Errorf("append: %w", engine.ErrDisk), engine.ErrClosed} {
		s, log := newIngestServer(Options{})
		log.refuse = refuse
		// Also when a later event is invalid: nothing was accepted, so that is what counts.
		for _, body := range []string{`{"name":"a"}`, `[{"name":"a"},{"name":""}]`} {
			r, res := send(t, s, body)
			if r.Status != 503 || len(r.IDs) != 1 || r.IDs[0] != "" || r.Error != refuse.Error() || string(res.Header.Peek("Retry-After")) == "" {
				t.Errorf("%v: %+v", refuse, r)
			}
		}
		if res := call(s, "POST", "/invoke/f", `{}`); res.StatusCode() != 503 || string(res.Header.Peek("Retry-After")) == "" {
			t.Errorf("invoke: %v: status %d", refuse, res.StatusCode())
		}
	}
}

func TestIngestSeed(t *testing.T) {
	t.Parallel()
	const entropy = "AAAAAAAA/////w==" // six zero bytes, then the largest uint32
	for _, c := range []struct {
		name, seed string
		want       []string // nil: random ids
	}{
		{"ordinary", "1700000000000,MDEyMzQ1Njc4OQ==", []string{"01HF7YAT0060RK4CSM6MV3EE1T", "01HF7YAT0060RK4CSM6MV3EE1V"}},
		{"the index wraps", "1700000000000," + entropy, []string{"01HF7YAT000000000000000000", "01HF7YAT000000000000000001"}},
		{"negative time", "-1,MDEyMzQ1Njc4OQ==", nil},
		{"time beyond ULIDs", fmt.Sprint(uint64(math.MaxUint64)) + ",MDEyMzQ1Njc4OQ==", nil},
		{"no time", ",MDEyMzQ1Njc4OQ==", nil},
		{"no comma", "1700000000000", nil},
		{"eleven bytes", "1700000000000,MDEyMzQ1Njc4OTA=", nil},
		{"not base64", "1700000000000,MDEyMzQ1Njc4O!==", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, log := newIngestServer(Options{})
			r, _ := send(t, s, `[{"name":"a"},{"name":"b"}]`, headerSeed, c.seed)
			again, _ := send(t, s, `[{"name":"a"},{"name":"b"}]`, headerSeed, c.seed)
			if c.want == nil {
				if r.IDs[0] == again.IDs[0] {
					t.Error("the same ids twice")
				}
			} else if fmt.Sprint(r.IDs) != fmt.Sprint(c.want) || fmt.Sprint(again.IDs) != fmt.Sprint(c.want) {
				t.Errorf("ids %v and %v, want %v", r.IDs, again.IDs, c.want)
			}
			for i, e := range log.events(t) {
				if e.Seeded != (c.want != nil) || e.Dedupable() != e.Seeded {
					t.Errorf("event %d: seeded %v, dedupable %v", i, e.Seeded, e.Dedupable())
				}
			}
		})
	}
}

func TestIngestForms(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{})
	const multi = "multipart/form-data; boundary=x"
	for _, c := range []struct{ contentType, body, want string }{
		{"application/x-www-form-urlencoded", "a=1", event.ErrNameEmpty.Error()},
		{"application/x-www-form-urlencoded; charset=utf-8", "name=x", "json: cannot unmarshal array into Go struct field raw.name of type string"},
		{"application/x-www-form-urlencoded", "a=%zz", event.ErrBody.Error()},
		{multi, "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nv\r\n--x--\r\n", event.ErrNameEmpty.Error()},
		{multi, "no part", event.ErrBody.Error()},
		{multi, "--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\ncut", event.ErrBody.Error()},
		{"text/plain", "a=1", event.ErrBody.Error()},
		{"broken/;", "a=1", event.ErrBody.Error()},
	} {
		if r, _ := send(t, s, c.body, "Content-Type", c.contentType); r.Status != 400 || r.Error != c.want {
			t.Errorf("%s %q: %+v", c.contentType, c.body, r)
		}
	}
}

func TestIngestKeys(t *testing.T) {
	t.Parallel()
	s, _ := newIngestServer(Options{EventKeys: []string{"one", "two words"}})
	for path, want := range map[string]int{"/e/one": 200, "/e/two%20words": 200, "/e/tw": 401, "/e/ONE": 401, "/e/one%": 401} {
		if res := call(s, "POST", path, `{"name":"a"}`); res.StatusCode() != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode(), want)
		}
	}
}

// benchRequest is a request context that is used again, as the server does.
func benchRequest(body []byte) *fasthttp.RequestCtx {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/e/key")
	ctx.Request.SetBodyRaw(body)
	return &ctx
}

func benchEvents(n int) []byte {
	one := `{"name":"shop/order.paid","id":"order-1","data":{"orderId":"o_1","amount":1299,"currency":"EUR","items":[{"sku":"SKU-1","qty":1}]},"user":{"id":"u_1842"},"ts":1790000000000}`
	if n == 1 {
		return []byte(one)
	}
	return []byte("[" + strings.Repeat(one+",", n-1) + one + "]")
}

func TestIngestDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops items at random")
	}
	s, log := newIngestServer(Options{EventKeys: []string{"key"}})
	log.forget = true
	for _, c := range []struct {
		name    string
		n       int
		headers []string
	}{
		{"single", 1, nil},
		{"hundred", 100, nil},
		{"seeded", 1, []string{headerSeed, "1700000000000,MDEyMzQ1Njc4OQ=="}},
		{"cross-origin", 1, []string{"Origin", "http://example.com"}},
	} {
		ctx := benchRequest(benchEvents(c.n))
		for i := 0; i < len(c.headers); i += 2 {
			ctx.Request.Header.Set(c.headers[i], c.headers[i+1])
		}
		allocs := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			s.Handler(ctx)
		})
		if allocs != 0 || ctx.Response.StatusCode() != 200 {
			t.Errorf("%s: %v allocations, status %d", c.name, allocs, ctx.Response.StatusCode())
		}
	}
}

func TestLogOverloadIsLimited(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	s, _ := newIngestServer(Options{Logger: testLogger(&lines)})
	for range 1000 {
		s.logOverload(errors.New("full"))
	}
	if n := strings.Count(lines.String(), "events are refused"); n < 1 || n > 20 {
		t.Errorf("%d lines", n)
	}
}
