// Package realtime passes published messages to the subscribers that are
// connected right now (spec 03 §25). Nothing is stored: a message without a
// subscriber is gone, and a subscriber gets what is published after it came.
//
// A [Hub] never waits for a subscriber and starts no goroutines. Each subscriber
// has a bounded queue that its own connection empties; the one that falls behind
// is dropped and told why, so that it costs bounded memory and slows nobody down.
//
// What does not live here: HTTP, WebSocket and tokens (package api).
package realtime

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of Subscribe and reasons for the end of a subscription.
var (
	// ErrClosed says that the hub has shut down.
	ErrClosed = errors.New("the server is shutting down")
	// ErrSlow says that a subscriber did not take its messages in time.
	ErrSlow = errors.New("the subscriber is too slow")
	// ErrLimit says that a bound on subscribers or topics is reached.
	ErrLimit = errors.New("realtime limit reached")
)

// Limits bound a hub. Zero means the default.
type Limits struct {
	// Subscribers bounds all subscribers (20,000).
	Subscribers int
	// PerTopic bounds the subscribers of one topic (5,000, as in the reference).
	PerTopic int
	// Topics bounds the topics of one subscriber (250).
	Topics int
	// QueueLen and QueueBytes bound what waits for one subscriber (4,096 messages,
	// which is four streams of the most chunks at once, and 8 MiB).
	QueueLen   int
	QueueBytes int
	// HubBytes bounds what waits for all subscribers together (256 MiB). Subscribers
	// share a message's bytes; each counts them in full.
	HubBytes int64
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Subscribers, 20_000)
	def(&l.PerTopic, 5_000)
	def(&l.Topics, 250)
	def(&l.QueueLen, 4096)
	def(&l.QueueBytes, 8<<20)
	if l.HubBytes <= 0 {
		l.HubBytes = 256 << 20
	}
	return l
}

// Topic is one subject of subscription. All topics are in the one environment.
type Topic struct{ Channel, Name string }

// Frame is one unit for a subscriber. Data is shared and must not be changed.
type Frame struct {
	Data []byte
	// Raw marks bytes that go out as they are; others are one JSON message.
	Raw bool
}

// Hub connects publishers and subscribers of one process. It is safe for
// concurrent use.
type Hub struct {
	limits Limits
	now    func() time.Time
	// queued is the sum of the queues' bytes.
	queued atomic.Int64

	mu     sync.RWMutex
	topics map[Topic]map[*Subscriber]struct{}
	subs   map[*Subscriber]struct{}
	closed bool
}

// NewHub returns an empty hub.
func NewHub(l Limits) *Hub {
	return &Hub{
		limits: l.withDefaults(),
		now:    time.Now,
		topics: make(map[Topic]map[*Subscriber]struct{}),
		subs:   make(map[*Subscriber]struct{}),
	}
}

// Publish sends body as one data message and returns how many subscribers it was
// queued for. JSON stays as it is, other text becomes a JSON string.
func (h *Hub) Publish(channel, topic string, body []byte) int {
	if !h.Listening(channel, topic) {
		return 0
	}
	return h.Send(Message{Kind: KindData, Channel: channel, Topic: topic, Data: Data(body)})
}

// Send passes m on to the subscribers of its channel and topic and returns how
// many it was queued for. Its time is set here.
func (h *Hub) Send(m Message) int {
	if !h.Listening(m.Channel, m.Topic) {
		return 0
	}
	b, err := m.encode(h.now())
	if err != nil {
		return 0 // Data or Metadata is not JSON, which callers have checked.
	}
	return h.deliver(Topic{m.Channel, m.Topic}, Frame{Data: b})
}

// Tee passes raw bytes on to the subscribers of channel's [StreamTopic]. It keeps
// a copy of them.
func (h *Hub) Tee(channel string, raw []byte) int {
	if len(raw) == 0 || !h.Listening(channel, StreamTopic) {
		return 0
	}
	return h.deliver(Topic{channel, StreamTopic}, Frame{Data: append([]byte(nil), raw...), Raw: true})
}

// Listening reports whether anyone subscribes to the topic.
func (h *Hub) Listening(channel, topic string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics[Topic{channel, topic}]) > 0
}

func (h *Hub) deliver(t Topic, f Frame) int {
	var slow []*Subscriber
	n := 0
	h.mu.RLock()
	for s := range h.topics[t] {
		if s.push(f) {
			n++
		} else {
			slow = append(slow, s)
		}
	}
	h.mu.RUnlock()
	for _, s := range slow {
		s.end(ErrSlow)
	}
	return n
}

// Subscribe returns a new subscriber of topics; the caller must Close it. Errors
// wrap ErrLimit or ErrClosed.
func (h *Hub) Subscribe(topics []Topic) (*Subscriber, error) {
	s := &Subscriber{hub: h, topics: make(map[Topic]struct{}), ready: make(chan struct{}, 1), done: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if len(h.subs) >= h.limits.Subscribers {
		return nil, fmt.Errorf("%w: %d subscribers are connected", ErrLimit, h.limits.Subscribers)
	}
	if err := h.add(s, topics); err != nil {
		return nil, err
	}
	h.subs[s] = struct{}{}
	return s, nil
}

// add subscribes s to all of topics or to none. h.mu is held.
func (h *Hub) add(s *Subscriber, topics []Topic) error {
	fresh := make(map[Topic]struct{}, len(topics))
	for _, t := range topics {
		if _, ok := s.topics[t]; ok {
			continue
		}
		if len(h.topics[t]) >= h.limits.PerTopic {
			return fmt.Errorf("%w: topic %q has %d subscribers", ErrLimit, t.Name, h.limits.PerTopic)
		}
		fresh[t] = struct{}{}
	}
	if len(s.topics)+len(fresh) > h.limits.Topics {
		return fmt.Errorf("%w: more than %d topics in one subscription", ErrLimit, h.limits.Topics)
	}
	for t := range fresh {
		s.topics[t] = struct{}{}
		if h.topics[t] == nil {
			h.topics[t] = make(map[*Subscriber]struct{})
		}
		h.topics[t][s] = struct{}{}
	}
	return nil
}

// remove ends s's subscription to t. h.mu is held.
func (h *Hub) remove(s *Subscriber, t Topic) {
	delete(s.topics, t)
	if m := h.topics[t]; m != nil {
		delete(m, s)
		if len(m) == 0 {
			delete(h.topics, t)
		}
	}
}

// Close tells every subscriber that the server closes and ends it. What waits in
// the queues stays there to be taken. Later subscriptions fail.
func (h *Hub) Close() {
	closing, _ := Message{Kind: KindClosing, Data: []byte("null")}.encode(h.now()) // null is JSON
	h.mu.Lock()
	h.closed = true
	subs := make([]*Subscriber, 0, len(h.subs))
	for s := range h.subs {
		subs = append(subs, s)
	}
	h.mu.Unlock()
	for _, s := range subs {
		s.push(Frame{Data: closing})
		s.end(ErrClosed)
	}
}
