package front

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// maxBody is a limit of tests.
const maxBody = 40 << 10

// post returns a usual request; headers are whole lines.
func post(key, body string, headers ...string) string {
	var h strings.Builder
	for _, line := range headers {
		h.WriteString(line + "\r\n")
	}
	return fmt.Sprintf("POST /e/%s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", key, &h, len(body), body)
}

var usual = []string{
	post("k", "{}"),
	post("k", ""),
	post("A-Key_1.2~!$&'*+^`|", "[]", "User-Agent: x y", "Accept: */*", "Content-Type: application/json; charset=utf-8"),
	post("k", "{}", "x-inngest-EVENT-id-seed:\t1,2 \t"),
	post("k", "{}", "Connection: keep-alive", "connection: Keep-Alive"),
	post("k", "{}", "X:", "Y: \x80\xff", "0: 1", "!: a: b"),
	"POST /e/.. HTTP/1.1\r\nHOST: my_host-1.example:8288\r\ncontent-length:007\r\n\r\n1234567",
	post("k", "{}") + post("k", "[]"),
	post("k", strings.Repeat("x", maxBody)),
	post("k", "{}", "X: "+strings.Repeat("x", maxHead-100)),
}

// unusual are requests that the server behind reads in another way, refuses, or answers
// with more than the front does.
var unusual = []string{
	"", "\r\n" + post("k", "{}"), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "post /e/k HTTP/1.1\r\n", "POST  /e/k HTTP/1.1\r\n",
	post("", "{}"), post("a/b", "{}"), post("a?b", "{}"), post("a%20b", "{}"), post("a#b", "{}"), post("a b", "{}"), post("a\x00", "{}"), post("a\\b", "{}"), post("\xc3\xa4", "{}"),
	"POST //e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST http://h/e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1 \r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: h\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\n",
	"POST /e/k HTTP/1.1\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\ncontent-length: 3\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2, 2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: -2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0x2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2 1\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\x00\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length : 2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\n Content-Length: 2\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551618\r\n\r\n{}",
	"POST /e/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4294967298\r\n\r\n{}",
	post("k", "{}", "Transfer-Encoding: chunked"), post("k", "{}", "transfer-encoding: identity"), post("k", "{}", "TRANSFER-ENCODING: x"),
	post("k", "{}", "Transfer-Encoding : chunked"), post("k", "{}", "Transfer-Encoding\t: chunked"),
	post("k", "{}", "X: a", " folded"), post("k", "{}", "X: a", "\tfolded"), post("k", "{}", "X"), post("k", "{}", ": x"), post("k", "{}", "X Y: x"),
	post("k", "{}", "X: a\x00b"), post("k", "{}", "X: a\rb"), post("k", "{}", "X: a\r"), post("k", "{}", "X: \x7f"), post("k", "{}", "X\x00: a"),
	post("k", "{}", "Host: h"), post("k", "{}", "host: i"),
	"POST /e/k HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: a@b\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: a:1:2\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: a:x\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: [::1]:8288\r\nContent-Length: 0\r\n\r\n",
	"POST /e/k HTTP/1.1\r\nHost: %zz\r\nContent-Length: 0\r\n\r\n",
	post("k", "{}", "Connection: close"), post("k", "{}", "Connection: keep-alive, close"), post("k", "{}", "Connection: upgrade"), post("k", "{}", "Connection:"),
	post("k", "{}", "Expect: 100-continue"), post("k", "{}", "Upgrade: h2c"), post("k", "{}", "Trailer: X"), post("k", "{}", "Origin: http://o"), post("k", "{}", "Content-Encoding: gzip"),
	post("k", "{}", "X-Inngest-Event-Id-Seed:", "X-Inngest-Event-Id-Seed: 1,2"),
	post("k", strings.Repeat("x", maxBody+1)), post("k", "{}", "X: "+strings.Repeat("x", maxHead)),
	"POST /e/" + strings.Repeat("k", maxHead), "POST /e/k HTTP/1.1\r\nX: " + strings.Repeat("x", maxHead),
}

func TestParse(t *testing.T) {
	t.Parallel()
	var r Request
	for _, s := range usual {
		if n, v := r.parse([]byte(s), maxBody); v != whole || len(r.Key) == 0 || !strings.HasSuffix(s[:n], string(r.Body)) {
			t.Errorf("%.200q: verdict %d, %d bytes", s, v, n)
		}
		checkParse(t, []byte(s))
	}
	for _, s := range unusual[1:] {
		if _, v := r.parse([]byte(s), maxBody); v != other {
			t.Errorf("%.200q: verdict %d", s, v)
		}
	}
}

// FuzzParse holds Request.parse against fasthttp: what is whole is the same request there.
func FuzzParse(f *testing.F) {
	for _, s := range append(usual, unusual...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkParse(t, b) })
}

func checkParse(t *testing.T, b []byte) {
	t.Helper()
	var r Request
	n, v := r.parse(b, maxBody)
	if v == partly && (n != 0 && n <= len(b) || len(b) > MaxRequest) {
		t.Errorf("%q: %d bytes are not the whole of %d", b, len(b), n)
	}
	if v != whole {
		return
	}
	var want fasthttp.Request
	src := bytes.NewReader(b)
	br := bufio.NewReaderSize(src, 16<<10)
	if err := want.Header.Read(br); err != nil {
		t.Fatalf("%q: fasthttp: %v", b, err)
	}
	if want.MayContinue() || want.Header.ConnectionClose() || !want.Header.IsHTTP11() || !want.Header.IsPost() {
		t.Errorf("%q: fasthttp would answer otherwise", b)
	}
	if err := want.ContinueReadBody(br, maxBody, false); err != nil {
		t.Fatalf("%q: fasthttp: %v", b, err)
	}
	var uri fasthttp.URI
	if err := uri.Parse(want.Header.Host(), want.Header.RequestURI()); err != nil {
		t.Fatalf("%q: fasthttp: %v", b, err)
	}
	if read := len(b) - src.Len() - br.Buffered(); read != n {
		t.Errorf("%q: %d bytes, fasthttp reads %d", b, n, read)
	}
	if got, want := "/e/"+string(r.Key), string(uri.PathOriginal()); got != want {
		t.Errorf("%q: path %q, fasthttp's %q", b, got, want)
	}
	if got, want := r.Seed, want.Header.Peek("X-Inngest-Event-Id-Seed"); !bytes.Equal(got, want) {
		t.Errorf("%q: seed %q, fasthttp's %q", b, got, want)
	}
	if !bytes.Equal(r.Body, want.Body()) {
		t.Errorf("%q: body %q, fasthttp's %q", b, r.Body, want.Body())
	}
	for _, name := range []string{"Origin", "Content-Encoding", "Transfer-Encoding", "Upgrade", "Trailer"} {
		if len(want.Header.Peek(name)) > 0 {
			t.Errorf("%q: has %s", b, name)
		}
	}
	checkPieces(t, b[:n])
}

// checkPieces checks that a request in pieces is usual at every point.
func checkPieces(t *testing.T, b []byte) {
	t.Helper()
	var r Request
	for i := 0; i < len(b); i += 1 + i/64 {
		n, v := r.parse(b[:i], maxBody)
		if v != partly || n != 0 && n != len(b) {
			t.Fatalf("%q: verdict %d and %d after %d of its bytes", b, v, n, i)
		}
	}
}
