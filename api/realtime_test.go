package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot/internal/ids"
	"ingot/internal/jwt"
	"ingot/internal/realtime"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp/fasthttputil"
)

// subscribeToken returns a token for topics of channel "c".
func subscribeToken(t testing.TB, s *Server, names ...string) string {
	t.Helper()
	topics := make([]topicClaim, 0, len(names))
	for _, n := range names {
		topics = append(topics, topicClaim{Kind: topicRun, EnvID: ids.EnvID, Channel: "c", Name: n})
	}
	token, err := s.realtimeToken(topics, realtimeTokenLife, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// publisherToken returns a token that may or may not publish.
func publisherToken(t testing.TB, s *Server, publish bool) string {
	t.Helper()
	token, err := jwt.Sign(s.tokenSecret, realtimeClaims{
		Claims: jwt.Claims{Issuer: realtimeIssuer, ExpiresAt: time.Now().Add(time.Minute).Unix()}, Env: ids.EnvID, Publish: publish,
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRealtimeToken(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	bad := `{"error":"Invalid request: must provide a list of topics","data":null,"status":400}` + "\n"
	for _, body := range []string{"", "{", "{}", "null", "7", `"x"`, `[1]`, strings.Repeat(" ", maxTokenBody) + "[]"} {
		expect(t, sdkCall(s, "POST", "/v1/realtime/token", body), 400, bad)
	}
	many := "[" + strings.Repeat("{},", maxTokenTopics) + "{}]"
	expect(t, sdkCall(s, "POST", "/v1/realtime/token", many), 400, `{"error":"Invalid request: more than 250 topics","data":null,"status":400}`+"\n")

	r := sdkCall(s, "POST", "/v1/realtime/token", `[{"channel":"c","name":"t","kind":"run","env_id":"mine"},{"kind":"event","name":"n"}]`)
	var out struct{ JWT string }
	if err := json.Unmarshal(r.Body(), &out); err != nil || r.StatusCode() != 201 {
		t.Fatalf("answer %d %s", r.StatusCode(), r.Body())
	}
	claims, err := s.verifyRealtimeToken(out.JWT, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject != ids.AccountID || claims.Topics[0].EnvID != ids.EnvID || claims.ExpiresAt-claims.IssuedAt != 60 || claims.Publish {
		t.Errorf("claims %+v", claims)
	}
	// Only topics of kind run are ever published to.
	if topics := hubTopics(claims.Topics); len(topics) != 1 || topics[0] != (realtime.Topic{Channel: "c", Name: "t"}) {
		t.Errorf("topics %+v", topics)
	}
}

// TestRealtimeAuth has who may do what, in both modes.
func TestRealtimeAuth(t *testing.T) {
	t.Parallel()
	dev := sdkServer(t, &fakeEngine{})
	start := NewServer(Options{Mode: ModeStart, Engine: &fakeEngine{}, SigningKey: "ee12"})
	devStart := NewServer(Options{Mode: ModeStart, Engine: &fakeEngine{}, SigningKey: "ee12", TokenSecret: []byte(devTokenSecret)})
	noTopics := publisherToken(t, dev, false)
	const (
		notAuthenticated = `{"error":"Not authenticated","data":null,"status":401}` + "\n"
		notForPublishing = `{"error":"Not authenticated for publishing","data":null,"status":401}` + "\n"
	)
	expired, err := jwt.Sign(dev.tokenSecret, realtimeClaims{
		Claims: jwt.Claims{Issuer: realtimeIssuer, ExpiresAt: time.Now().Unix()}, Env: ids.EnvID, Topics: []topicClaim{{}}, Publish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	otherEnv, err := jwt.Sign(dev.tokenSecret, realtimeClaims{
		Claims: jwt.Claims{Issuer: realtimeIssuer, ExpiresAt: time.Now().Unix() + 60}, Env: "x", Topics: []topicClaim{{}}, Publish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := dev.runToken(testRun, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s              *Server
		method, target string
		auth           string
		status         int
		body           string
	}{
		"dev, publish without token":       {dev, "POST", "/v1/realtime/publish?channel=c&topic=t", "", 200, ""},
		"dev, publish with Bearer alone":   {dev, "POST", "/v1/realtime/publish?channel=c&topic=t", "Bearer", 200, ""},
		"dev, publish with a reader":       {dev, "POST", "/v1/realtime/publish?token=" + noTopics, "", 401, notForPublishing},
		"dev, tee with a reader":           {dev, "POST", "/v1/realtime/publish/tee?channel=c", "Bearer " + noTopics, 401, notForPublishing},
		"dev, publish with a publisher":    {dev, "POST", "/v1/realtime/publish?token=" + publisherToken(t, dev, true), "", 200, ""},
		"start, publish without anything":  {start, "POST", "/v1/realtime/publish", "", 401, authFailedText},
		"start, publish with the key":      {start, "POST", "/v1/realtime/publish", "Bearer ee12", 200, ""},
		"start, publish with a publisher":  {start, "POST", "/v1/realtime/publish", "Bearer " + publisherToken(t, start, true), 200, ""},
		"start, publish with a dev token":  {start, "POST", "/v1/realtime/publish", "Bearer " + publisherToken(t, dev, true), 401, authFailedText},
		"start, token with a token":        {devStart, "POST", "/v1/realtime/token", "Bearer " + publisherToken(t, dev, true), 401, authFailedText},
		"dev, connect without token":       {dev, "GET", "/v1/realtime/connect", "", 401, notAuthenticated},
		"dev, connect without topics":      {dev, "GET", "/v1/realtime/connect?token=" + noTopics, "", 401, notAuthenticated},
		"dev, connect with an old token":   {dev, "GET", "/v1/realtime/connect?token=" + expired, "", 401, notAuthenticated},
		"dev, connect to another env":      {dev, "GET", "/v1/realtime/connect?token=" + otherEnv, "", 401, notAuthenticated},
		"dev, connect with a run's token":  {dev, "GET", "/v1/realtime/connect?token=" + run, "", 401, notAuthenticated},
		"dev, connect with alg none":       {dev, "GET", "/v1/realtime/connect?token=eyJhbGciOiJub25lIn0.e30.", "", 401, notAuthenticated},
		"start, connect with the key":      {start, "GET", "/v1/realtime/connect", "Bearer ee12", 401, notAuthenticated},
		"start, connect without":           {start, "GET", "/v1/realtime/connect", "", 401, authFailedText},
		"dev, events without token":        {dev, "GET", "/v1/realtime/sse", "", 401, notAuthenticated},
		"start, events with a bad token":   {start, "GET", "/v1/realtime/sse?token=x", "", 401, authFailedText},
		"dev, connect without the upgrade": {dev, "GET", "/v1/realtime/connect?token=" + subscribeToken(t, dev, "t"), "", 426, "this endpoint speaks WebSocket: the request must ask for the upgrade\n"},
	} {
		headers := []string{}
		if c.auth != "" {
			headers = append(headers, "Authorization", c.auth)
		}
		r := sdkCall(c.s, c.method, c.target, "", headers...)
		if r.StatusCode() != c.status || string(r.Body()) != c.body {
			t.Errorf("%s: %d %q, want %d %q", name, r.StatusCode(), r.Body(), c.status, c.body)
		}
	}
}

func TestRealtimePublishRefusals(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	refused := func(status int, text string) string {
		return fmt.Sprintf(`{"error":"Invalid request: %s","data":null,"status":%d}`+"\n", text, status)
	}
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish?metadata={", "1"), 400, refused(400, "metadata is not JSON"))
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish?"+strings.Repeat("topic=t&", maxTokenTopics+1), "1"), 400, refused(400, "more than 250 topics"))
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish", strings.Repeat("1", maxRealtimeMessage)), 200, "")
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish", strings.Repeat("1", maxRealtimeMessage+1)), 413, refused(413, "message exceeds 524288 bytes"))
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish/tee", "x"), 400, "channel query parameter required\n")
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish/tee?channel=c", strings.Repeat("x", maxTeeBytes)), 200, "")
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish/tee?channel=c", strings.Repeat("x", maxTeeBytes+1)), 413, refused(413, "tee exceeds 1024000 bytes"))
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish", strings.Repeat("x", chunkBytes*maxChunks), "Content-Type", "text/stream"), 200, "")
	expect(t, sdkCall(s, "POST", "/v1/realtime/publish", strings.Repeat("x", chunkBytes*maxChunks+1), "Content-Type", "text/stream"),
		413, refused(413, "stream exceeds 1000 chunks of 1024 bytes"))
}

// message is what a subscriber got.
type message struct {
	Kind, Channel, Topic, EnvID, Metadata string
	RunID                                 string `json:"run_id"`
	StreamID                              string `json:"stream_id"`
	Data                                  any
	CreatedAt                             time.Time `json:"created_at"`
}

func decodeMessage(t *testing.T, b []byte) message {
	t.Helper()
	var m struct {
		message
		Metadata json.RawMessage
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("message %q: %v", b, err)
	}
	m.message.Metadata = string(m.Metadata)
	return m.message
}

// realtimeServer serves s and returns its clients, for HTTP and for WebSocket. It
// uses TCP, since deadlines of an in-memory connection do not end a Read that waits.
func realtimeServer(t *testing.T, s *Server) (*http.Client, *websocket.Dialer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
	}
	transport := &http.Transport{DialContext: dial, DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &http.Client{Transport: transport}, &websocket.Dialer{NetDialContext: dial}
}

func connect(t *testing.T, d *websocket.Dialer, token string) *websocket.Conn {
	t.Helper()
	c, r, err := d.Dial("ws://x/v1/realtime/connect?token="+token, http.Header{"Origin": {"http://elsewhere.example"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func publish(t *testing.T, client *http.Client, path, contentType, body string) {
	t.Helper()
	r, err := client.Post("http://x"+path, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if text := readAll(t, r); r.StatusCode != 200 || text != "" {
		t.Fatalf("publish: %d %q", r.StatusCode, text)
	}
}

func next(t *testing.T, c *websocket.Conn) message {
	t.Helper()
	kind, b, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		t.Fatalf("message of kind %d: %v", kind, err)
	}
	return decodeMessage(t, b)
}

func TestRealtimeWebSocket(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	client, dialer := realtimeServer(t, s)
	c := connect(t, dialer, subscribeToken(t, s, "t", realtime.StreamTopic))

	publish(t, client, "/v1/realtime/publish?channel=c&topic=t&run_id=r&metadata=%7B%22m%22:1%7D", "application/json", `{"a":1}`)
	m := next(t, c)
	if m.Kind != "data" || m.Channel != "c" || m.Topic != "t" || m.RunID != "r" || m.Metadata != `{"m":1}` || m.CreatedAt.IsZero() {
		t.Errorf("message %+v", m)
	}
	if data, _ := m.Data.(map[string]any); data["a"] != 1.0 {
		t.Errorf("data %v", m.Data)
	}

	publish(t, client, "/v1/realtime/publish?channel=c&topic=u&topic=t", "text/plain", "plain")
	if m := next(t, c); m.Data != "plain" || m.Topic != "t" {
		t.Errorf("message %+v", m)
	}

	publish(t, client, "/v1/realtime/publish/tee?channel=c", "application/octet-stream", "raw \xff")
	if kind, b, err := c.ReadMessage(); err != nil || kind != websocket.BinaryMessage || string(b) != "raw \xff" {
		t.Errorf("tee: kind %d %q %v", kind, b, err)
	}
}

// TestRealtimeStream publishes text that does not fit into one chunk.
func TestRealtimeStream(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	client, dialer := realtimeServer(t, s)
	c := connect(t, dialer, subscribeToken(t, s, "t"))
	text := strings.Repeat("é", chunkBytes) // no chunk may split a character
	publish(t, client, "/v1/realtime/publish?channel=c&topic=t", "text/stream; charset=utf-8", "x"+text)
	start := next(t, c)
	id, _ := start.Data.(string)
	if start.Kind != "datastream-start" || id == "" || start.Topic != "t" {
		t.Fatalf("first message %+v", start)
	}
	var got strings.Builder
	for {
		m := next(t, c)
		if m.Kind == "datastream-end" {
			if m.Data != id {
				t.Errorf("end of stream %v, not %s", m.Data, id)
			}
			break
		}
		chunk, _ := m.Data.(string)
		if m.Kind != "chunk" || m.StreamID != id || m.Channel != "c" || m.Topic != "t" || len(chunk) > chunkBytes {
			t.Fatalf("chunk %+v", m)
		}
		got.WriteString(chunk)
	}
	if got.String() != "x"+text {
		t.Errorf("the chunks make %q", got.String())
	}
}

// TestRealtimeLive sees each piece of a body before the next one is sent.
func TestRealtimeLive(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"tee": "/v1/realtime/publish/tee?channel=c", "stream": "/v1/realtime/publish?channel=c&topic=t"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sdkServer(t, &fakeEngine{})
			client, dialer := realtimeServer(t, s)
			c := connect(t, dialer, subscribeToken(t, s, "t", realtime.StreamTopic))
			r, w := io.Pipe()
			answered := make(chan string, 1)
			go func() {
				req, _ := http.NewRequest("POST", "http://x"+path, r)
				req.Header.Set("Content-Type", "text/stream")
				req.Header.Set("Origin", "http://elsewhere.example")
				res, err := client.Do(req)
				if err != nil {
					answered <- err.Error()
					return
				}
				answered <- fmt.Sprint(res.StatusCode, readAll(t, res), res.Header.Get("X-Inngest-Server-Kind"), " ",
					res.Header.Get("Access-Control-Allow-Origin"), " ", res.Header.Get("Content-Length"))
			}()
			if name == "stream" {
				_, _ = io.WriteString(w, "one")
				if m := next(t, c); m.Kind != "datastream-start" {
					t.Fatalf("message %+v", m)
				}
				if m := next(t, c); m.Data != "one" {
					t.Fatalf("message %+v", m)
				}
			}
			for _, piece := range []string{"two", "three"} {
				_, _ = io.WriteString(w, piece)
				_, b, err := c.ReadMessage()
				if err != nil || !strings.Contains(string(b), piece) {
					t.Fatalf("message %q, %v; want %q", b, err, piece)
				}
			}
			_ = w.Close()
			if got := <-answered; got != "200dev http://elsewhere.example 0" {
				t.Errorf("answer %q", got)
			}
		})
	}
}

func TestRealtimeLiveLimits(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	client, _ := realtimeServer(t, s)
	send := func(body io.Reader) (int, string) {
		r, err := client.Post("http://x/v1/realtime/publish/tee?channel=c", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, readAll(t, r)
	}
	chunked := func(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }
	if status, _ := send(chunked(maxTeeBytes)); status != 200 {
		t.Errorf("at the limit: status %d", status)
	}
	if status, body := send(chunked(maxTeeBytes + 1)); status != 413 || !strings.Contains(body, "tee exceeds 1024000 bytes") {
		t.Errorf("beyond the limit: %d %s", status, body)
	}
	// The answer arrives although much of the body is still to come.
	if status, body := send(chunked(3 << 20)); status != 413 || !strings.Contains(body, "tee exceeds 1024000 bytes") {
		t.Errorf("far beyond the limit: %d %s", status, body)
	}
	s.live.Add(maxLive)
	if status, body := send(chunked(1)); status != 503 {
		t.Errorf("too many at once: %d %s", status, body)
	}
	s.live.Add(-maxLive)
	until(t, func() bool { return s.live.Load() == 0 }) // the answer is sent before its connection is let go
}

// TestRealtimeLiveBroken sends what is no chunk. A client cannot pretend to be
// live either: the mark on its request is taken off.
func TestRealtimeLiveBroken(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	ln := fasthttputil.NewInmemoryListener()
	go func() { _ = s.Serve(ln) }()
	defer func() { _ = s.Shutdown(context.Background()) }()
	for request, want := range map[string]string{
		"POST /v1/realtime/publish?topic=t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":                                      "HTTP/1.1 400",
		"POST /v1/realtime/publish?topic=t HTTP/1.1\r\nHost: x\r\nX-Ingot-Live-Body: 1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1":       "HTTP/1.1 200",
		"POST /v1/realtime/publish?topic=t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n":                         "HTTP/1.1 200",
		"POST /v1/realtime/publish?metadata=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n1\r\n0\r\n\r\n": "HTTP/1.1 400",
		// What is refused before its body is read must not leave the body behind as a request.
		"POST /v1/realtime/publish/tee HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n":  "HTTP/1.1 400",
		"POST /v1/realtime/publish/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n": "HTTP/1.1 404",
	} {
		c, err := ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c) // all of them close the connection
		if err != nil || !strings.HasPrefix(string(all), want) || strings.Count(string(all), "HTTP/1.1 ") != 1 {
			t.Errorf("%q: answers %q, %v", request, all, err)
		}
		_ = c.Close()
	}
}
