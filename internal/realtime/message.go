package realtime

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"ingot/internal/ids"
)

// Kind says what a message is (spec 03 §25.1).
type Kind string

// The kinds that this server sends or understands.
const (
	KindData        Kind = "data"
	KindStreamStart Kind = "datastream-start"
	KindStreamEnd   Kind = "datastream-end"
	KindChunk       Kind = "chunk"
	KindClosing     Kind = "closing"
	// KindSubscribe and KindUnsubscribe come from clients.
	KindSubscribe   Kind = "sub"
	KindUnsubscribe Kind = "unsub"
)

// StreamTopic is the topic of a channel that carries the raw bytes of a durable
// endpoint's response (spec 01 §14.7).
const StreamTopic = "$stream"

// Message is what subscribers get, as JSON. Its field order is the reference's.
type Message struct {
	Kind Kind `json:"kind"`
	// StreamID names the stream that a chunk belongs to.
	StreamID string `json:"stream_id,omitempty"`
	// Data is raw JSON; see [Data].
	Data      json.RawMessage `json:"data"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	Channel   string          `json:"channel,omitempty"`
	EnvID     string          `json:"env_id,omitempty"`
	Topic     string          `json:"topic"`
	RunID     string          `json:"run_id,omitempty"`
}

// encode returns m as JSON. Chunks carry channel and topic too, which the
// reference leaves out: the TypeScript SDK drops chunks without them.
func (m Message) encode(now time.Time) ([]byte, error) {
	m.CreatedAt = now.UTC()
	if m.Channel != "" {
		m.EnvID = ids.EnvID
	}
	return json.Marshal(m)
}

// Data returns a publisher's body as a message's data: JSON stays as it is, other
// text becomes a JSON string, in which bytes that are not UTF-8 are replaced.
func Data(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	return Text(body)
}

// Text returns text as a JSON string.
func Text(text []byte) json.RawMessage {
	// A string always encodes, and encoding/json replaces what is not UTF-8.
	b, _ := json.Marshal(string(text))
	return b
}

// WholeText returns the length of b without a UTF-8 sequence that its end cuts
// off, so that a stream of text can be passed on in pieces.
func WholeText(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				break
			}
			return len(b) - n
		}
	}
	return len(b)
}
