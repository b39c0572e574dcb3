package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ingot/internal/realtime"

	"github.com/fasthttp/websocket"
)

// TestRealtimeSubscriptions changes the topics of a connection. The server does
// not confirm, so a marker on a topic that stays tells when it is done.
func TestRealtimeSubscriptions(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	_, dialer := realtimeServer(t, s)
	c := connect(t, dialer, subscribeToken(t, s, "t"))
	send := func(text string) {
		t.Helper()
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, nonsense := range []string{
		"{", `{"kind":"sub"}`, `{"kind":"sub","data":"x"}`, `{"kind":"sub","data":7}`, `{"kind":"unsub","data":7}`, `{"kind":"data","data":7}`,
	} {
		send(nonsense)
	}
	send(`{"kind":"sub","data":"` + subscribeToken(t, s, "u") + `"}`)
	until(t, func() bool { return s.hub.Listening("c", "u") })
	s.hub.Publish("c", "u", []byte("1"))
	if m := next(t, c); m.Topic != "u" {
		t.Errorf("message %+v", m)
	}
	send(`{"kind":"unsub","data":[{"kind":"run","channel":"c","name":"u"}]}`)
	until(t, func() bool { return !s.hub.Listening("c", "u") })
	s.hub.Publish("c", "t", []byte("2"))
	if m := next(t, c); m.Topic != "t" {
		t.Errorf("message %+v", m)
	}
	// When the client goes, so does its subscription.
	_ = c.Close()
	until(t, func() bool { return !s.hub.Listening("c", "t") })
}

// until waits for what another goroutine does.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen within 10 s")
		}
	}
}

func TestRealtimeShutdownTellsSubscribers(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	client, dialer := realtimeServer(t, s)
	c := connect(t, dialer, subscribeToken(t, s, "t"))
	events, err := client.Get("http://x/v1/realtime/sse?token=" + subscribeToken(t, s, "t"))
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe() // a publisher that never ends
	defer w.Close()
	published := make(chan int, 1)
	go func() {
		res, err := client.Post("http://x/v1/realtime/publish/tee?channel=c", "text/plain", r)
		if err != nil {
			published <- 0
			return
		}
		_ = res.Body.Close()
		published <- res.StatusCode
	}()
	until(t, func() bool { return s.live.Load() == 1 })

	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- s.Shutdown(ctx)
	}()
	if m := next(t, c); m.Kind != "closing" {
		t.Errorf("last message %+v", m)
	}
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.CloseGoingAway || closed.Text != "the server is shutting down" {
		t.Errorf("end of the connection: %v", err)
	}
	if text := readAll(t, events); !strings.Contains(text, `data: {"kind":"closing"`) || !strings.HasSuffix(text, ": closed: the server is shutting down\n\n") {
		t.Errorf("events %q", text)
	}
	if status := <-published; status != 400 {
		t.Errorf("the publisher got status %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestRealtimeSlowSubscriberIsTold(t *testing.T) {
	t.Parallel()
	hub := realtime.NewHub(realtime.Limits{QueueBytes: 1000})
	s := NewServer(Options{Engine: &fakeEngine{}, Realtime: hub})
	client, dialer := realtimeServer(t, s)
	c := connect(t, dialer, subscribeToken(t, s, "t"))
	events, err := client.Get("http://x/v1/realtime/sse?token=" + subscribeToken(t, s, "t"))
	if err != nil {
		t.Fatal(err)
	}
	hub.Publish("c", "t", []byte(`"`+strings.Repeat("x", 2000)+`"`))
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.CloseTryAgainLater || closed.Text != "the subscriber is too slow" {
		t.Errorf("end of the connection: %v", err)
	}
	if text := readAll(t, events); text != ":\n\n: closed: the subscriber is too slow\n\n" {
		t.Errorf("events %q", text)
	}
}

func TestRealtimeEvents(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	client, _ := realtimeServer(t, s)
	req, _ := http.NewRequest("GET", "http://x/v1/realtime/sse?token="+subscribeToken(t, s, "t", realtime.StreamTopic), nil)
	req.Header.Set("Origin", "http://elsewhere.example")
	r, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for k, v := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache",
		"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Content-Type",
	} {
		if got := r.Header.Get(k); r.StatusCode != 200 || got != v {
			t.Errorf("status %d, header %s is %q, want %q", r.StatusCode, k, got, v)
		}
	}
	body := bufio.NewReader(r.Body)
	line := func() string {
		t.Helper()
		l, err := body.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if got := line() + line(); got != ":\n\n" {
		t.Errorf("first bytes %q", got)
	}
	publish(t, client, "/v1/realtime/publish?channel=c&topic=t", "application/json", `{"a":1}`)
	data, found := strings.CutPrefix(line(), "data: ")
	if m := decodeMessage(t, []byte(data)); !found || m.Kind != "data" || line() != "\n" {
		t.Errorf("event %q", data)
	}
	publish(t, client, "/v1/realtime/publish/tee?channel=c", "application/octet-stream", "event: inngest.response\ndata: {}\n\n")
	if got := line() + line() + line(); got != "event: inngest.response\ndata: {}\n\n" {
		t.Errorf("tee %q", got)
	}
	// When the client goes, so does its subscription, at the next write.
	_ = r.Body.Close()
	until(t, func() bool { return s.hub.Publish("c", "t", []byte("1")) == 0 })
}

func TestRealtimeLimitsOfTheHub(t *testing.T) {
	t.Parallel()
	hub := realtime.NewHub(realtime.Limits{Subscribers: 1})
	s := NewServer(Options{Engine: &fakeEngine{}, Realtime: hub})
	client, dialer := realtimeServer(t, s)
	connect(t, dialer, subscribeToken(t, s, "t"))
	target := "?token=" + subscribeToken(t, s, "t")
	_, r, err := dialer.Dial("ws://x/v1/realtime/connect"+target, nil)
	if err == nil || r == nil || r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("second socket: %v, %v", r, err)
	}
	e, err := client.Get("http://x/v1/realtime/sse" + target)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, e); e.StatusCode != 429 || !strings.Contains(body, "realtime limit reached: 1 subscribers are connected") {
		t.Errorf("events: %d %s", e.StatusCode, body)
	}
	// A bad handshake gives its place back.
	other := NewServer(Options{Engine: &fakeEngine{}, Realtime: realtime.NewHub(realtime.Limits{Subscribers: 1})})
	token := subscribeToken(t, other, "t")
	for range 2 {
		r := sdkCall(other, "GET", "/v1/realtime/connect?token="+token, "", "Connection", "Upgrade", "Upgrade", "websocket")
		if r.StatusCode() != 400 {
			t.Fatalf("handshake without a key: %d %s", r.StatusCode(), r.Body())
		}
	}
	hub.Close()
	if r := sdkCall(s, "GET", "/v1/realtime/sse"+target, ""); r.StatusCode() != 503 {
		t.Errorf("after the end: %d %s", r.StatusCode(), r.Body())
	}
}

// A client that breaks off between its handler and the takeover is forgotten.
func TestHandOver(t *testing.T) {
	t.Parallel()
	s := sdkServer(t, &fakeEngine{})
	undone := 0
	begin := s.handOver(func() { undone++ })
	if !begin() || begin() {
		t.Error("a takeover must begin exactly once")
	}
	s.streams.Done()
	s.streams.Wait()
	if undone != 0 {
		t.Error("undone although it began")
	}
}

func TestSurvive(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := NewServer(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	func() {
		defer s.survive("test")
		panic("boom")
	}()
	if !strings.Contains(log.String(), "panic=boom") || !strings.Contains(log.String(), "kind=test") {
		t.Errorf("log %q", log.String())
	}
}
