package transport

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot/transport/wire"

	"github.com/andybalholm/brotli"
)

const sdkHead = "HTTP/1.1 200 OK\r\nX-Inngest-Sdk: go:v0.15.1\r\n"

// Raw answers, as bytes on a fresh connection that is closed behind them.
func TestRawAnswers(t *testing.T) {
	t.Parallel()
	gz := func(s string) string {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = io.WriteString(zw, s)
		_ = zw.Close()
		return b.String()
	}
	br := func(s string) string {
		var b bytes.Buffer
		bw := brotli.NewWriter(&b)
		_, _ = io.WriteString(bw, s)
		_ = bw.Close()
		return b.String()
	}
	withLength := func(extra, body string) string {
		return fmt.Sprintf("%s%sContent-Length: %d\r\n\r\n%s", sdkHead, extra, len(body), body)
	}
	bomb := strings.Repeat("0", 16<<20)
	const performing = `error performing request: Post "{URL}?stepId=step": `
	cases := []struct{ name, answer, err, output string }{
		{"with length", withLength("", `{"a":1}`), "", `{"a":1}`},
		{"chunked", sdkHead + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nX-Sum: 1\r\n\r\n", "", `{"a":1}`},
		{"chunked with a forbidden trailer", sdkHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nContent-Length: 5\r\n\r\n", "", `1`},
		{"until the end", sdkHead + "\r\n{\"a\":1}", "", `{"a":1}`},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nX-Inngest-SDK: x\r\n\r\n{\"a\":1}", "", `{"a":1}`},
		{"interim responses first", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + withLength("", "1"), "", `1`},
		{"204", "HTTP/1.1 204 No Content\r\nX-Inngest-Sdk: x\r\n\r\n", "", ""},
		{"gzip", withLength("Content-Encoding: GZIP\r\n", gz(`{"a":1}`)), "", `{"a":1}`},
		{"brotli", withLength("Content-Encoding: br\r\n", br(`{"a":1}`)), "", `{"a":1}`},
		{"gzip without data", withLength("Content-Encoding: gzip\r\n", ""), "error decoding gzip response body: EOF", ""},
		{"gzip, corrupt", withLength("Content-Encoding: gzip\r\n", "not gzip at all"), "error decoding gzip response body: gzip: invalid header", ""},
		{"gzip, cut off", withLength("Content-Encoding: gzip\r\n", gz(`{"a":1}`)[:20]), "error decoding gzip response body: unexpected EOF", ""},
		{"brotli, corrupt", withLength("Content-Encoding: br\r\n", "\xff\xff\xff\xff"), "error decoding br response body: ", ""},
		{"deflate", withLength("Content-Encoding: deflate\r\n", "x"), `unsupported content encoding: "deflate"`, ""},
		{"list of encodings", withLength("Content-Encoding: gzip, br\r\n", "x"), `unsupported content encoding: "gzip, br"`, ""},
		{"gzip bomb", withLength("Content-Encoding: gzip\r\n", gz(bomb)), wire.CodeTooLarge, ""},
		{"brotli bomb", withLength("Content-Encoding: br\r\n", br(bomb)), wire.CodeTooLarge, ""},
		{"nothing", "", wire.TextUnreachable, ""},
		{"end in the body", sdkHead + "Content-Length: 100\r\n\r\n{\"a\"", wire.TextReset, ""},
		{"end in a chunk", sdkHead + "Transfer-Encoding: chunked\r\n\r\n20\r\n{\"a\"", wire.TextReset, ""},
		{"end before the last chunk", sdkHead + "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n", wire.TextReset, ""},
		{"broken chunk", sdkHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", wire.TextReset, ""},
		{"end in the head", "HTTP/1.1 200 OK\r\nX-Inn", performing + "unexpected EOF", ""},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n" + strings.Repeat("x", 500), performing + "malformed HTTP response: ", ""},
		{"head too large", sdkHead + "X-Big: " + strings.Repeat("x", readBuffer) + "\r\n\r\n", performing + "the response headers exceed 16384 bytes", ""},
		{"announces 100 MB", sdkHead + "Content-Length: 104857600\r\n\r\nxxxx", wire.CodeTooLarge, ""},
		{"not an SDK", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", "invalid status code: 502",
			`{"error":"Your server returned HTTP 502 before the SDK responded.","message":"Your server returned HTTP 502 before the SDK responded.",` +
				`"name":"Server returned a fatal error","stack":"No step output was produced before the request failed — this can mean a proxy or load balancer ` +
				`in front of your app returned an error, or your app was unable to respond.\n\nUpstream response (unknown content-type):\nbad"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			url := rawApp(t, func(_ int, conn net.Conn, br *bufio.Reader) {
				conns.Add(1)
				if _, err := readRequest(br); err == nil {
					_, _ = io.WriteString(conn, c.answer)
				}
			})
			h := newDriver(t, Options{})
			res := call(t, h, testCall(url))
			want := strings.Replace(c.err, "{URL}", url, 1)
			if res.Error != want && (!strings.HasSuffix(want, ": ") || !strings.HasPrefix(res.Error, want)) {
				t.Errorf("error %q, want %q", res.Error, want)
			}
			if c.err == "" && string(res.Output) != c.output || c.output != "" && string(res.Output) != c.output {
				t.Errorf("output %s, want %s", res.Output, c.output)
			}
			if res.NoRetry {
				t.Error("not retriable")
			}
			if n := conns.Load(); n != 1 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

// An app that streams 100 MB in chunks is cut off at the limit.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Inngest-Sdk", "x")
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range 100 {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	h := newDriver(t, Options{})
	if res := call(t, h, testCall(app.URL)); res.ErrorCode != wire.CodeTooLarge {
		t.Errorf("got %q", res.Error)
	}
	app.Close() // waits for the handler
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
}

// The limit itself is allowed.
func TestLargestBody(t *testing.T) {
	t.Parallel()
	body := `"` + strings.Repeat("x", MaxResponseBytes-2) + `"`
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("gzip") == "" {
			sdk(w, 200, body)
			return
		}
		w.Header().Set("X-Inngest-Sdk", "x")
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		_, _ = io.WriteString(zw, body)
		_ = zw.Close()
	})
	h := newDriver(t, Options{})
	for _, url := range []string{app.URL, app.URL + "?gzip=1"} {
		if res := call(t, h, testCall(url)); res.Error != "" || len(res.Output) != len(body) {
			t.Errorf("%s: error %q, %d bytes", url, res.Error, len(res.Output))
		}
	}
}

// A body that trickles in counts against the call's time limit only.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	url := rawApp(t, func(_ int, c net.Conn, br *bufio.Reader) {
		if _, err := readRequest(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, sdkHead+"Content-Length: 10\r\n\r\n12345")
		<-stop
	})
	defer close(stop)
	h := newDriver(t, Options{Timeout: 100 * time.Millisecond})
	res := call(t, h, testCall(url))
	if want := fmt.Sprintf("error performing request: Post %q: context deadline exceeded", url+"?stepId=step"); res.Error != want {
		t.Errorf("got %q, want %q", res.Error, want)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	h := newDriver(t, Options{})
	const output = `"{\"error\":{\"error\":\"Unable to reach SDK URL\",\"name\":\"Error\",\"message\":\"Unable to reach SDK URL\"}}"`
	if res := call(t, h, testCall("http://"+ln.Addr().String())); res.Error != wire.TextUnreachable || string(res.Output) != output {
		t.Errorf("got %q, %s", res.Error, res.Output)
	}
	res := call(t, h, testCall("http://no-such-host.invalid/api/inngest?fnId=x"))
	const prefix = `error performing request: Post "http://no-such-host.invalid/api/inngest?fnId=x&stepId=step": lookup no-such-host.invalid`
	if !strings.HasPrefix(res.Error, prefix) {
		t.Errorf("got %q, want %q…", res.Error, prefix)
	}
	for _, url := range []string{"ftp://x/", "http://", "://", "http://exämple.com/", "relative"} {
		if res := call(t, h, testCall(url)); !strings.HasPrefix(res.Error, "error performing request: ") {
			t.Errorf("%s: %q", url, res.Error)
		}
	}
}

// The app closes an idle connection while the next request is on its way: the
// request is repeated on a new connection and no attempt is lost.
func TestClosedIdleConnection(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset=%v", reset), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			url := rawApp(t, func(_ int, c net.Conn, br *bufio.Reader) {
				if _, err := readRequest(br); err != nil {
					return
				}
				requests.Add(1)
				_, _ = io.WriteString(c, sdkHead+"Content-Length: 2\r\n\r\n{}")
				// Only a request that has arrived, or is arriving, makes the app close:
				// the client cannot have known.
				_, _ = br.ReadByte()
				if reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
			})
			h := newDriver(t, Options{})
			for i := range 5 {
				if res := call(t, h, testCall(url)); res.Error != "" {
					t.Fatalf("call %d: %s", i, res.Error)
				}
			}
			if n := requests.Load(); n != 5 {
				t.Errorf("%d requests were answered", n)
			}
		})
	}
}

// A new connection that ends without an answer costs the attempt: the request
// may have been processed.
func TestNoRepeatOnNewConnection(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := rawApp(t, func(_ int, _ net.Conn, br *bufio.Reader) {
		if _, err := readRequest(br); err == nil {
			requests.Add(1)
		}
	})
	h := newDriver(t, Options{})
	if res := call(t, h, testCall(url)); res.Error != wire.TextUnreachable {
		t.Errorf("got %q", res.Error)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests were made", n)
	}
}

// Neither a timeout nor an answer that has begun is repeated on a reused connection.
func TestNoRepeatOnReusedConnection(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{"timeout": "", "half an answer": "HTTP/1.1 200 OK\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			stop := make(chan struct{})
			url := rawApp(t, func(_ int, c net.Conn, br *bufio.Reader) {
				for {
					if _, err := readRequest(br); err != nil {
						return
					}
					if requests.Add(1) == 1 {
						_, _ = io.WriteString(c, sdkHead+"Content-Length: 2\r\n\r\n{}")
						continue
					}
					if second != "" {
						_, _ = io.WriteString(c, second)
						return
					}
					<-stop
				}
			})
			defer close(stop)
			h := newDriver(t, Options{Timeout: 200 * time.Millisecond})
			if res := call(t, h, testCall(url)); res.Error != "" {
				t.Fatal(res.Error)
			}
			if res := call(t, h, testCall(url)); !strings.HasPrefix(res.Error, "error performing request") {
				t.Errorf("got %q", res.Error)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

// An app may answer and close before it has read the whole request.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	url := rawApp(t, func(_ int, c net.Conn, br *bufio.Reader) {
		_, _ = br.ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nX-Inngest-Sdk: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
		_, _ = io.Copy(io.Discard, br) // a reset would take the answer away
	})
	h := newDriver(t, Options{})
	c := testCall(url)
	c.Events = [][]byte{[]byte(`{"data":"` + strings.Repeat("x", 1<<20) + `"}`)}
	if res := call(t, h, c); res.Error != "invalid status code: 413" {
		t.Errorf("got %q", res.Error)
	}
}

func TestKeepFor(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]time.Duration{
		"":                                       time.Hour,
		"Connection: close\r\n":                  0,
		"Keep-Alive: timeout=5\r\n":              4500 * time.Millisecond,
		"Keep-Alive: max=3, timeout=1, x=2\r\n":  500 * time.Millisecond,
		"Keep-Alive: timeout=99999\r\n":          time.Hour,
		"Keep-Alive: timeout=\r\n":               time.Hour,
		"Keep-Alive: max=3\r\n":                  time.Hour,
		"Connection: close\r\nKeep-Alive: 5\r\n": 0,
	} {
		s := scratches.Get().(*scratch)
		br := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\n" + head + "Content-Length: 0\r\n\r\n"))
		if _, err := readResponse(br, &s.resp, false); err != nil {
			t.Fatal(err)
		}
		if got := keepFor(&s.resp); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
		s.release()
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sdk(w, 200, `1`) }))
	app.Config.ErrorLog = discardLog()
	app.StartTLS()
	t.Cleanup(app.Close)
	if res := call(t, newDriver(t, Options{}), testCall(app.URL)); !strings.Contains(res.Error, "certificate") ||
		!strings.HasPrefix(res.Error, "error performing request: Post ") {
		t.Errorf("a self-signed certificate gives %q", res.Error)
	}
	roots := app.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	h := newDriver(t, Options{RootCAs: roots})
	for range 3 {
		if res := call(t, h, testCall(app.URL)); res.Error != "" {
			t.Error(res.Error)
		}
	}
	if res := call(t, h, testCall(strings.Replace(app.URL, "127.0.0.1", "localhost", 1))); !strings.Contains(res.Error, "localhost") {
		t.Errorf("a certificate for another name gives %q", res.Error)
	}
}
