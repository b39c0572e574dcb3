package realtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/ids"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHub returns a hub whose clock stands still.
func newHub(l Limits) *Hub {
	h := NewHub(l)
	h.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	return h
}

func subscribe(t *testing.T, h *Hub, topics ...Topic) *Subscriber {
	t.Helper()
	s, err := h.Subscribe(topics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func texts(s *Subscriber) []string {
	var out []string
	for _, f := range s.Take(nil) {
		out = append(out, string(f.Data))
	}
	return out
}

func TestPublish(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{})
	s := subscribe(t, h, Topic{"c", "t"}, Topic{"c", "u"})
	other := subscribe(t, h, Topic{"d", "t"})

	if n := h.Publish("c", "t", []byte(`{"a": 1}`)); n != 1 {
		t.Fatalf("reached %d subscribers, want 1", n)
	}
	h.Publish("c", "u", []byte("no json \xff"))
	h.Publish("c", "nobody", []byte("1"))
	h.Send(Message{Kind: KindChunk, Channel: "c", Topic: "t", StreamID: "s", Data: Text([]byte("x")), RunID: "r", Metadata: []byte(`{"m":1}`)})

	env := `"env_id":"` + ids.EnvID + `"`
	want := []string{
		`{"kind":"data","data":{"a":1},"created_at":"2026-01-02T03:04:05Z","channel":"c",` + env + `,"topic":"t"}`,
		`{"kind":"data","data":"no json \ufffd","created_at":"2026-01-02T03:04:05Z","channel":"c",` + env + `,"topic":"u"}`,
		`{"kind":"chunk","stream_id":"s","data":"x","metadata":{"m":1},"created_at":"2026-01-02T03:04:05Z","channel":"c",` + env + `,"topic":"t","run_id":"r"}`,
	}
	<-s.Ready()
	got := texts(s)
	if len(got) != len(want) {
		t.Fatalf("got %d messages: %q", len(got), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
	if got := texts(other); got != nil {
		t.Errorf("a subscriber of another channel got %q", got)
	}
}

func TestSendBadData(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{})
	s := subscribe(t, h, Topic{"c", "t"})
	if n := h.Send(Message{Kind: KindData, Channel: "c", Topic: "t", Data: json.RawMessage("{")}); n != 0 {
		t.Fatalf("invalid data reached %d subscribers", n)
	}
	if got := texts(s); got != nil {
		t.Fatalf("got %q", got)
	}
}

func TestTee(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{})
	s := subscribe(t, h, Topic{"run", StreamTopic})
	raw := []byte("data: x\n\n")
	if n := h.Tee("run", raw); n != 1 {
		t.Fatalf("reached %d subscribers", n)
	}
	raw[0] = '!' // the hub has its own copy
	h.Tee("run", nil)
	h.Tee("other", raw)
	frames := s.Take(nil)
	if len(frames) != 1 || !frames[0].Raw || string(frames[0].Data) != "data: x\n\n" {
		t.Fatalf("got %+v", frames)
	}
}

func TestAddRemove(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{Topics: 2})
	s := subscribe(t, h, Topic{"c", "a"}, Topic{"c", "a"})
	if err := s.Add([]Topic{{"c", "a"}, {"c", "b"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Add([]Topic{{"c", "c"}}); !errors.Is(err, ErrLimit) {
		t.Fatalf("third topic: error %v", err)
	}
	s.Remove([]Topic{{"c", "a"}, {"c", "unknown"}})
	if h.Listening("c", "a") {
		t.Error("still subscribed to a")
	}
	if n := h.Publish("c", "b", []byte("1")); n != 1 {
		t.Errorf("b reached %d subscribers", n)
	}
	s.Close()
	s.Close()
	if h.Listening("c", "b") || len(h.topics) != 0 || len(h.subs) != 0 {
		t.Error("a closed subscriber is still known")
	}
	if err := s.Add([]Topic{{"c", "a"}}); !errors.Is(err, ErrClosed) {
		t.Errorf("add after close: error %v", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("reason after an own close: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{Subscribers: 3, PerTopic: 2})
	subscribe(t, h, Topic{"c", "t"})
	subscribe(t, h, Topic{"c", "t"})
	if _, err := h.Subscribe([]Topic{{"c", "t"}}); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), `"t"`) {
		t.Fatalf("third subscriber of a topic: error %v", err)
	}
	subscribe(t, h, Topic{"c", "u"})
	if _, err := h.Subscribe(nil); !errors.Is(err, ErrLimit) {
		t.Fatalf("fourth subscriber: error %v", err)
	}
}

func TestSlowSubscriberIsDropped(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]Limits{
		"by messages":            {QueueLen: 3},
		"by bytes":               {QueueBytes: 3 * 150},
		"by bytes of the server": {HubBytes: 3 * 150},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(l)
			slow := subscribe(t, h, Topic{"c", "t"})
			for range 3 {
				h.Publish("c", "t", []byte("1"))
			}
			if err := slow.Err(); err != nil {
				t.Fatalf("dropped too early: %v", err)
			}
			if n := h.Publish("c", "t", []byte("2")); n != 0 {
				t.Fatalf("the fourth message reached %d subscribers", n)
			}
			<-slow.Done()
			if err := slow.Err(); !errors.Is(err, ErrSlow) {
				t.Fatalf("reason %v", err)
			}
			if h.Listening("c", "t") || h.queued.Load() != 0 {
				t.Fatalf("its topic or its %d bytes are still held", h.queued.Load())
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	h := newHub(Limits{})
	s := subscribe(t, h, Topic{"c", "t"})
	h.Publish("c", "t", []byte("1"))
	h.Close()
	<-s.Done()
	if err := s.Err(); !errors.Is(err, ErrClosed) {
		t.Fatalf("reason %v", err)
	}
	got := texts(s)
	if len(got) != 2 || got[1] != `{"kind":"closing","data":null,"created_at":"2026-01-02T03:04:05Z","topic":""}` {
		t.Fatalf("got %q", got)
	}
	if _, err := h.Subscribe(nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("subscribe after close: error %v", err)
	}
	if n := h.Publish("c", "t", []byte("1")); n != 0 {
		t.Fatalf("publish after close reached %d", n)
	}
}

// TestConcurrent lets publishers, readers and leavers meet. Each reader that
// stays sees each publisher's messages in order.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const publishers, messages, readers = 4, 200, 8
	h := newHub(Limits{})
	var wg sync.WaitGroup
	subs := make([]*Subscriber, readers)
	for i := range subs {
		subs[i] = subscribe(t, h, Topic{"c", "t"})
	}
	for p := range publishers {
		wg.Go(func() {
			for i := range messages {
				h.Publish("c", "t", fmt.Appendf(nil, "[%d,%d]", p, i))
			}
		})
		wg.Go(func() {
			s, err := h.Subscribe([]Topic{{"c", "t"}})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	for _, s := range subs {
		wg.Go(func() {
			next := [publishers]int{}
			for total := 0; total < publishers*messages; {
				<-s.Ready()
				for _, f := range s.Take(nil) {
					var m struct{ Data [2]int }
					if err := json.Unmarshal(f.Data, &m); err != nil {
						t.Error(err)
						return
					}
					if m.Data[1] != next[m.Data[0]] {
						t.Errorf("publisher %d: message %d came where %d was due", m.Data[0], m.Data[1], next[m.Data[0]])
						return
					}
					next[m.Data[0]]++
					total++
				}
			}
		})
	}
	wg.Wait()
	if n := h.queued.Load(); n != 0 {
		t.Errorf("%d bytes are counted as queued at the end", n)
	}
}

func TestWholeText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"": 0, "abc": 3, "ab\u00e9": 4, "ab\xc3": 2, "\xc3": 0, "ab\u20ac": 5, "ab\xe2\x82": 2, "ab\xe2": 2,
		"a\xf0\x9f\x98": 1, "a\U0001F600": 5, "\x80\x80\x80\x80": 4, "a\xff": 2,
	} {
		if got := WholeText([]byte(in)); got != want {
			t.Errorf("WholeText(%q) = %d, want %d", in, got, want)
		}
	}
}

// Publishing where nobody listens is the common case: runs publish whether or
// not somebody looks.
func TestPublishUnheardDoesNotAllocate(t *testing.T) {
	h := newHub(Limits{})
	body := []byte(`{"a":1}`)
	if n := testing.AllocsPerRun(100, func() { h.Publish("c", "t", body) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			h := NewHub(Limits{QueueLen: 1 << 30, QueueBytes: 1 << 40, HubBytes: 1 << 50})
			subs := make([]*Subscriber, subscribers)
			for i := range subs {
				subs[i], _ = h.Subscribe([]Topic{{"c", "t"}})
			}
			body := []byte(`{"message":"hello"}`)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.Publish("c", "t", body)
				if i%64 == 0 {
					for _, s := range subs {
						s.Take(nil)
					}
				}
			}
		})
	}
}
