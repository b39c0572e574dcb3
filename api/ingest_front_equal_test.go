package api

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot/engine"
	"ingot/engine/event"
)

// twins are two servers that differ only in that one has the front.
type twins struct {
	addr [2]string
	log  [2]*memLog
}

const withFront, without = 0, 1

// plainListener is a TCP port that the front does not know.
type plainListener struct{ net.Listener }

func newTwins(t *testing.T, o Options, refuse error) *twins {
	t.Helper()
	w := &twins{}
	for i := range w.addr {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.addr[i] = ln.Addr().String()
		if i == without {
			ln = plainListener{ln}
		}
		s, log := newIngestServer(o)
		log.refuse = refuse
		w.log[i] = log
		serveOn(t, s, ln)
	}
	return w
}

// serveOn runs s on ln until the test ends.
func serveOn(t testing.TB, s *Server, ln net.Listener) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// sendRaw sends the pieces on a connection of its own, ends its side of it, and returns
// all that comes back.
func sendRaw(t *testing.T, addr string, pieces ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	for i, p := range pieces {
		if i > 0 {
			time.Sleep(time.Millisecond) // so that it mostly comes alone
		}
		_, _ = io.WriteString(conn, p) // the server may have had enough
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Errorf("%.300q: no end after %q", pieces, b)
	}
	return string(b)
}

// mask takes out of an answer what no two answers share.
func mask(answer string) string {
	return ulids.ReplaceAllStringFunc(dates.ReplaceAllString(answer, ""), func(id string) string {
		if strings.HasPrefix(id, `"01HF7YAT0`) {
			return id // of a seed
		}
		return `"id"`
	})
}

var (
	dates = regexp.MustCompile(`\r\nDate: [^\r]*`)
	ulids = regexp.MustCompile(`"[0-9A-HJKMNP-TV-Z]{26}"`)
)

// check sends the same to both, in one piece and in several, and compares the answers and
// what is in the logs.
func (w *twins) check(t *testing.T, request string) {
	t.Helper()
	n := rand.IntN(len(request) + 1)
	m := n + rand.IntN(len(request)-n+1)
	for _, pieces := range [][]string{{request}, {request[:n], request[n:m], request[m:]}} {
		var answers [2]string
		var logged [2]string
		for i := range answers {
			answers[i] = mask(sendRaw(t, w.addr[i], pieces...))
			for _, e := range w.log[i].take(t) {
				id := ""
				if e.Seeded {
					id = e.InternalID.String()
				}
				logged[i] += fmt.Sprintf("%s %q %v\n", id, e.AppendJSON(nil), e.Seeded)
			}
			logged[i] = strip(logged[i])
		}
		if answers[withFront] != answers[without] {
			t.Errorf("%.500q\nwith    %.1000q\nwithout %.1000q", pieces, answers[withFront], answers[without])
		}
		if logged[withFront] != logged[without] {
			t.Errorf("%.500q\nlogged with    %.1000q\nlogged without %.1000q", pieces, logged[withFront], logged[without])
		}
	}
}

var varying = regexp.MustCompile(`\\"(ts|id)\\":(\\"[^"]*\\"|[0-9]+)`)

// strip removes times and ids that the server has made.
func strip(events string) string { return varying.ReplaceAllString(events, "") }

// take returns what was logged since.
func (l *memLog) take(t *testing.T) []event.Event {
	t.Helper()
	events := l.events(t)
	l.mu.Lock()
	l.records = nil
	l.mu.Unlock()
	return events
}

// rawRequest is a request as it is sent; headers are whole lines, with the length added.
func rawRequest(line, body string, headers ...string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\r\nHost: h\r\n", line)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

const ingestLine = "POST /e/key HTTP/1.1"

func equalRequests(t *testing.T) (all []string) {
	add := func(requests ...string) { all = append(all, requests...) }
	for _, body := range []string{
		`{"name":"a"}`, `[{"name":"a"},{"name":"b","data":{"x":[1,2,{"y":null}]},"ts":1790000000000,"id":"mine","v":"1"}]`, ` {"name" : "a" } `,
		``, ` `, `[]`, `{}`, `{`, `[`, `[{"name":"a"}`, `[{"name":"a"},`, `[{"name":"a"},{"name":""}]`, `[{"name":"a"},5]`, `[{"name":"a"},{"name":"refused"}]`,
		`{"name":"refused"}`, `{"name":"function-refused"}`, `{"name":"panics"}`, `[{"name":"a"},{"name":"panics"}]`, `{"name":5}`, `{"name":"a"}x`, `{"name":"a"}{"name":"b"}`, `null`, `5`, `"a"`, "\x00", `{"name":"a","data":5}`,
		`{"name":"a","ts":"x"}`, `{"name":"a","ts":-1}`, `{"name":"inngest/internal"}`, `{"name":"a\u0000b"}`, "{\"name\":\"\xff\"}", `{"name":"` + strings.Repeat("n", 5000) + `"}`,
		`{"name":"a","data":{"s":"` + strings.Repeat("d", 900) + `"}}`, `{"name":"a","data":{"s":"` + strings.Repeat("d", 70<<10) + `"}}`, `a=1&b=2`,
	} {
		add(rawRequest(ingestLine, body), rawRequest(ingestLine, body, "Content-Type: application/x-www-form-urlencoded"), rawRequest(ingestLine, body)+rawRequest(ingestLine, `{"name":"next"}`))
	}
	const one = `{"name":"one"}`
	for _, h := range []string{
		"X: y", "X:y", "X:", "x:\ty\t", "X: y\x00", "X: y\rz", "X: \x80", "X\x80: y", "X", ":y", " X: y", "X : y", "X y: z", "\tX: y",
		"Connection: keep-alive", "Connection: Keep-Alive", "Connection: close", "Connection: Close", "Connection: keep-alive, close", "Connection: upgrade", "Keep-Alive: timeout=5",
		"Transfer-Encoding: chunked", "Transfer-Encoding: identity", "transfer-encoding: Chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : chunked",
		"Content-Length: 14", "Content-Length: 5", "content-length: +14", "Host: h", "Host: i", "host:", "Expect: 100-continue", "Expect: 200-ok", "Upgrade: h2c", "Trailer: X", "Trailer: Host",
		"Origin: http://example.com", "Origin:", "Content-Encoding: gzip", "Content-Encoding: none", "Content-Encoding:", "Content-Type: application/json", "Content-Type: multipart/form-data; boundary=x",
		"Access-Control-Request-Method: POST", "Authorization: Bearer x", "Cookie: a=b; c", "Accept-Encoding: gzip", "X-Forwarded-For: 1.2.3.4", "Te: trailers",
		headerSeed + ": 1700000000000,MDEyMzQ1Njc4OQ==", "x-inngest-event-ID-seed:1700000000000,MDEyMzQ1Njc4OQ== ", headerSeed + ":", headerSeed + ": x",
		headerSeed + ":\r\n" + headerSeed + ": 1700000000000,MDEyMzQ1Njc4OQ==", headerSeed + ": 1700000000000,MDEyMzQ1Njc4OQ==\r\n" + headerSeed + ": x",
		"X: " + strings.Repeat("x", 9000), "X: " + strings.Repeat("x", 20000), "X: a\r\n folded", "X: a\n", "X: a\nY: b",
	} {
		add(rawRequest(ingestLine, one, h), rawRequest(ingestLine, one, "Accept: */*", h)+rawRequest(ingestLine, `{"name":"smuggled"}`))
	}
	for _, line := range []string{
		"POST /e/other HTTP/1.1", "POST /e/k%65y HTTP/1.1", "POST /e/key?x=1 HTTP/1.1", "POST /e/key#x HTTP/1.1", "POST /e/key/ HTTP/1.1", "POST /e/key/more HTTP/1.1", "POST //e/key HTTP/1.1",
		"POST /e/ HTTP/1.1", "POST /e HTTP/1.1", "POST /e/. HTTP/1.1", "POST /e/.. HTTP/1.1", "POST /e/../e/key HTTP/1.1", "POST /E/key HTTP/1.1", "POST http://h/e/key HTTP/1.1", "POST http://h:1:2/e/key HTTP/1.1",
		"post /e/key HTTP/1.1", "Post /e/key HTTP/1.1", "GET /e/key HTTP/1.1", "PUT /e/key HTTP/1.1", "OPTIONS /e/key HTTP/1.1", "HEAD /e/key HTTP/1.1", "POST  /e/key HTTP/1.1", "POST /e/key  HTTP/1.1", "POST\t/e/key HTTP/1.1",
		"POST /e/key HTTP/1.0", "POST /e/key HTTP/1.2", "POST /e/key HTTP/2.0", "POST /e/key http/1.1", "POST /e/key", "POST /e/key HTTP/1.1 ", "\r\nPOST /e/key HTTP/1.1", "\nPOST /e/key HTTP/1.1", " POST /e/key HTTP/1.1",
		"POST /e/key\x00 HTTP/1.1", "POST /e/k\xc3\xa4y HTTP/1.1", "GET /health HTTP/1.1", "GET /dev HTTP/1.1", "POST /invoke/x HTTP/1.1", "PRI * HTTP/2.0",
	} {
		add(rawRequest(line, one), rawRequest(line, one)+rawRequest(ingestLine, `{"name":"next"}`), rawRequest(ingestLine, `{"name":"before"}`)+rawRequest(line, one))
	}
	whole := rawRequest(ingestLine, one)
	add(strings.ReplaceAll(whole, "\r\n", "\n"), strings.Replace(whole, "\r\n\r\n", "\n\n", 1), strings.Replace(whole, "\r\n\r\n", "\r\n\n", 1), strings.Replace(whole, "Host: h\r\n", "", 1))
	for _, host := range []string{"", "a b", "a@b", "a:b", "a:1:2", "[::1]", "[::1]:80", "[", "%zz", "h\x00", "a/b", "a?b", "a_b.c-d:80", "h:", ":80", "é"} {
		add(strings.Replace(whole, "Host: h", "Host: "+host, 1))
	}
	for _, n := range []string{"", "+14", "-14", "014", "14 ", "\t14", "1 4", "14,14", "0x0e", "14\x00", "1e1", "13", "15", "0", "99999999999999999999", "18446744073709551630", "4294967310", "2147483662", "268435457"} {
		add(strings.Replace(whole, "Content-Length: 14", "Content-Length: "+n, 1), strings.Replace(whole, "Content-Length: 14", "Content-Length: "+n, 1)+whole)
	}
	for i := range 12 {
		add(whole[:len(whole)*i/12])
	}
	for encoding := range compressors {
		name, _, _ := strings.Cut(encoding, ",")
		add(rawRequest(ingestLine, compressed(t, encoding, one), "Content-Encoding: "+name))
	}
	chunked := strings.Replace(whole, "Content-Length: 14", "Transfer-Encoding: chunked", 1)
	add(strings.Replace(chunked, one, "e\r\n"+one+"\r\n0\r\n\r\n", 1)+whole, strings.Replace(chunked, one, "e\r\n"+one, 1), strings.Replace(chunked, one, "zz", 1))
	add(strings.Repeat(whole, 20), strings.Repeat(whole+rawRequest("GET /health HTTP/1.1", ""), 3))
	return all
}

// refuseSome is an Options.Admit.
func refuseSome(e *event.Event) error {
	switch string(e.Name) {
	case "refused":
		return &engine.BacklogError{Limit: 5}
	case "function-refused":
		return &engine.BacklogError{Function: "f", Limit: 5}
	case "panics":
		panic("a bug")
	}
	return nil
}

// TestFrontAnswersAlike sends usual, unusual and malformed requests to a server with the front
// and to one without.
func TestFrontAnswersAlike(t *testing.T) {
	t.Parallel()
	requests := equalRequests(t)
	for _, c := range []struct {
		name   string
		o      Options
		refuse error
	}{
		{"plain", Options{EventKeys: []string{"key"}, Admit: refuseSome, Catalog: testCatalog(t)}, nil},
		{"small bodies", Options{Mode: ModeStart, MaxBody: 500, Catalog: testCatalog(t)}, nil},
		{"log full", Options{Admit: refuseSome, Catalog: testCatalog(t)}, engine.ErrLogFull},
		{"log broken", Options{Catalog: testCatalog(t)}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTwins(t, c.o, c.refuse)
			for _, r := range requests {
				w.check(t, r)
			}
		})
	}
}
