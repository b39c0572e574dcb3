package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ingot/internal/ids"
	"ingot/internal/realtime"

	"github.com/valyala/fasthttp"
)

const (
	// A published stream is cut into chunks of at most chunkBytes, of which there
	// are at most maxChunks.
	chunkBytes = 1024
	maxChunks  = 1000
)

var (
	errStreamTooLong = fmt.Errorf("stream exceeds %d chunks of %d bytes", maxChunks, chunkBytes)
	errTeeTooLong    = fmt.Errorf("tee exceeds %d bytes", maxTeeBytes)
)

// publication is where a request publishes to.
type publication struct {
	channel, runID string
	topics         []string
	metadata       json.RawMessage
}

// realtimePublish sends one message, or a stream of them, to all who subscribe to
// the channel and topic right now.
func (s *Server) realtimePublish(ctx *fasthttp.RequestCtx, _ params) {
	s.receive(ctx, s.publisher(ctx))
}

// publisher returns what publishes the request's body, or answers and returns nil.
func (s *Server) publisher(ctx *fasthttp.RequestCtx) func(io.Reader) error {
	if !s.publisherAuth(ctx) {
		return nil
	}
	pub, err := readPublication(ctx.QueryArgs())
	if err != nil {
		publicErr(ctx, fasthttp.StatusBadRequest, "", err.Error())
		return nil
	}
	if isStream(ctx) {
		return func(r io.Reader) error { return s.publishStream(pub, r) }
	}
	return func(r io.Reader) error { return s.publishMessage(pub, r) }
}

// realtimeTee passes raw bytes on to the followers of a durable endpoint's response.
func (s *Server) realtimeTee(ctx *fasthttp.RequestCtx, _ params) {
	s.receive(ctx, s.teeer(ctx))
}

// teeer returns what passes the request's body on, or answers and returns nil.
func (s *Server) teeer(ctx *fasthttp.RequestCtx) func(io.Reader) error {
	if !s.publisherAuth(ctx) {
		return nil
	}
	channel := string(ctx.QueryArgs().Peek("channel"))
	if channel == "" {
		textErr(ctx, fasthttp.StatusBadRequest, "channel query parameter required\n")
		return nil
	}
	return func(r io.Reader) error { return s.tee(channel, r) }
}

func readPublication(args *fasthttp.Args) (publication, error) {
	p := publication{channel: string(args.Peek("channel")), runID: string(args.Peek("run_id"))}
	for _, topic := range args.PeekMulti("topic") {
		p.topics = append(p.topics, string(topic))
	}
	if len(p.topics) > maxTokenTopics {
		return p, fmt.Errorf("Invalid request: more than %d topics", maxTokenTopics) //nolint:staticcheck // a public text
	}
	if m := args.Peek("metadata"); len(m) > 0 {
		if !json.Valid(m) {
			return p, errors.New("Invalid request: metadata is not JSON") //nolint:staticcheck // a public text
		}
		p.metadata = bytes.Clone(m)
	}
	return p, nil
}

// send sends m to each topic of the publication.
func (s *Server) send(pub publication, m realtime.Message) {
	m.Channel, m.RunID, m.Metadata = pub.channel, pub.runID, pub.metadata
	for _, topic := range pub.topics {
		m.Topic = topic
		s.hub.Send(m)
	}
}

func (s *Server) publishMessage(pub publication, r io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(r, maxRealtimeMessage+1))
	if err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	if len(body) > maxRealtimeMessage {
		return tooLong{fmt.Errorf("message exceeds %d bytes", maxRealtimeMessage)}
	}
	s.send(pub, realtime.Message{Kind: realtime.KindData, Data: realtime.Data(body)})
	return nil
}

// publishStream sends text in chunks as it comes, between a start and an end.
func (s *Server) publishStream(pub publication, r io.Reader) error {
	id := ids.Now().String()
	s.send(pub, realtime.Message{Kind: realtime.KindStreamStart, Data: realtime.Text([]byte(id))})
	defer s.send(pub, realtime.Message{Kind: realtime.KindStreamEnd, Data: realtime.Text([]byte(id))})
	var buf [chunkBytes]byte
	have := 0
	for chunks := 0; ; {
		n, err := r.Read(buf[have:])
		have += n
		// What ends within a character waits for the rest of it, if there is any.
		ready := have
		if err == nil {
			ready = realtime.WholeText(buf[:have])
		}
		if ready > 0 {
			if chunks++; chunks > maxChunks {
				return tooLong{errStreamTooLong}
			}
			s.send(pub, realtime.Message{Kind: realtime.KindChunk, StreamID: id, Data: realtime.Text(buf[:ready])})
			have = copy(buf[:], buf[ready:have])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the stream: %w", err)
		}
	}
}

// tee forwards bytes as they come.
func (s *Server) tee(channel string, r io.Reader) error {
	buf := make([]byte, 16<<10)
	for total := 0; ; {
		n, err := r.Read(buf)
		if total += n; total > maxTeeBytes {
			return tooLong{errTeeTooLong}
		}
		s.hub.Tee(channel, buf[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
	}
}

// tooLong marks a body beyond its limit.
type tooLong struct{ error }
