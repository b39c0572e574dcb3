package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"ingot/internal/realtime"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

const (
	// maxClientMessage bounds what a subscriber sends: a token or a list of topics.
	maxClientMessage = 256 << 10
	// maxMissedPongs is how many keep-alives in a row may stay unanswered.
	maxMissedPongs = 3
	// closeGrace bounds the wait for a client's part of the closing handshake.
	closeGrace = time.Second
)

var upgrader = websocket.FastHTTPUpgrader{
	ReadBufferSize:  4 << 10,
	WriteBufferSize: 16 << 10,
	// Browsers of any site may subscribe; the token is what counts.
	CheckOrigin: func(*fasthttp.RequestCtx) bool { return true },
}

// realtimeConnect subscribes by WebSocket to the token's topics. Messages are
// text, the raw bytes of a tee are binary.
func (s *Server) realtimeConnect(ctx *fasthttp.RequestCtx, _ params) {
	topics, ok := s.subscriberAuth(ctx)
	if !ok {
		return
	}
	if !websocket.FastHTTPIsWebSocketUpgrade(ctx) {
		ctx.Response.Header.Set(fasthttp.HeaderUpgrade, "websocket")
		ctx.Response.Header.Set(fasthttp.HeaderConnection, "Upgrade")
		textErr(ctx, fasthttp.StatusUpgradeRequired, "this endpoint speaks WebSocket: the request must ask for the upgrade\n")
		return
	}
	// Subscribed before the handshake is answered, the client misses nothing after it.
	sub, err := s.hub.Subscribe(topics)
	if err != nil {
		s.subscribeErr(ctx, err)
		return
	}
	begin := s.handOver(sub.Close)
	err = upgrader.Upgrade(ctx, func(c *websocket.Conn) {
		if !begin() {
			return
		}
		defer s.streams.Done()
		defer sub.Close()
		defer s.survive("socket")
		s.serveSocket(c, sub)
	})
	if err != nil && begin() { // the upgrader has answered
		sub.Close()
		s.streams.Done()
	}
}

// serveSocket writes to the subscriber until either side ends.
func (s *Server) serveSocket(c *websocket.Conn, sub *realtime.Subscriber) {
	var missed atomic.Int32
	c.SetReadLimit(maxClientMessage)
	c.SetPongHandler(func(string) error {
		missed.Store(0)
		return nil
	})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer s.survive("socket reader")
		s.readSocket(c, sub)
	}()
	// The connection is fasthttp's to close, after the reader has let go of it.
	defer func() {
		_ = c.SetReadDeadline(time.Now())
		<-gone
	}()
	ping := func() error {
		return c.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeDeadline))
	}
	if ping() != nil {
		return
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	var frames []realtime.Frame
	for {
		select {
		case <-gone:
			return
		case <-sub.Ready():
			if frames = sub.Take(frames[:0]); writeFrames(c, frames) != nil {
				return
			}
		case <-tick.C:
			if missed.Add(1) > maxMissedPongs || ping() != nil {
				return
			}
		case <-sub.Done():
			if writeFrames(c, sub.Take(nil)) == nil {
				farewell(c, sub.Err(), gone)
			}
			return
		}
	}
}

func writeFrames(c *websocket.Conn, frames []realtime.Frame) error {
	for i := range frames {
		kind := websocket.TextMessage
		if frames[i].Raw {
			kind = websocket.BinaryMessage
		}
		if err := c.SetWriteDeadline(time.Now().Add(writeDeadline)); err != nil {
			return err //nolint:wrapcheck // only ends the connection
		}
		if err := c.WriteMessage(kind, frames[i].Data); err != nil {
			return err //nolint:wrapcheck // only ends the connection
		}
		frames[i] = realtime.Frame{} // lets go of the shared bytes
	}
	return nil
}

// farewell tells the client why the connection ends, and waits for its answer.
func farewell(c *websocket.Conn, reason error, gone <-chan struct{}) {
	code := websocket.CloseGoingAway
	text := "the server is shutting down"
	if errors.Is(reason, realtime.ErrSlow) {
		code, text = websocket.CloseTryAgainLater, reason.Error()
	}
	if c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(writeDeadline)) != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(closeGrace))
	<-gone
}

// clientMessage is what a subscriber may send.
type clientMessage struct {
	Kind realtime.Kind   `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// readSocket follows the subscriber's wishes until the connection ends. As in
// the reference there is no answer to them; what cannot be done is ignored.
func (s *Server) readSocket(c *websocket.Conn, sub *realtime.Subscriber) {
	for {
		_, b, err := c.ReadMessage()
		if err != nil {
			return
		}
		var m clientMessage
		if json.Unmarshal(b, &m) != nil {
			continue
		}
		switch m.Kind {
		case realtime.KindSubscribe:
			var token string
			if json.Unmarshal(m.Data, &token) != nil {
				continue
			}
			claims, err := s.verifyRealtimeToken(token, time.Now())
			if err == nil {
				err = sub.Add(hubTopics(claims.Topics))
			}
			if err != nil {
				s.log.Debug("a realtime subscription was refused", "error", err)
			}
		case realtime.KindUnsubscribe:
			var topics []topicClaim
			if json.Unmarshal(m.Data, &topics) == nil {
				sub.Remove(hubTopics(topics))
			}
		}
	}
}

// realtimeSSE subscribes by server-sent events to the token's topics. Raw bytes
// of a tee go out as they are: they are events already (spec 01 §14.7).
func (s *Server) realtimeSSE(ctx *fasthttp.RequestCtx, _ params) {
	topics, ok := s.subscriberAuth(ctx)
	if !ok {
		return
	}
	sub, err := s.hub.Subscribe(topics)
	if err != nil {
		s.subscribeErr(ctx, err)
		return
	}
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, fasthttp.HeaderContentType)
	h.Set(fasthttp.HeaderCacheControl, "no-cache")
	ctx.SetContentType("text/event-stream")
	ctx.SetConnectionClose() // the write deadlines below would outlive the response
	conn := ctx.Conn()
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer sub.Close()
		defer s.survive("events")
		serveEvents(conn, w, sub)
	})
}

// serveEvents writes to the subscriber until either side ends or its time is over.
func serveEvents(conn net.Conn, w *bufio.Writer, sub *realtime.Subscriber) {
	flush := func() error {
		_ = conn.SetWriteDeadline(time.Now().Add(writeDeadline))
		return w.Flush()
	}
	comment := func(text string) error {
		_, _ = w.WriteString(":" + text + "\n\n")
		return flush()
	}
	if comment("") != nil {
		return
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	var frames []realtime.Frame
	for {
		select {
		case <-sub.Ready():
			frames = sub.Take(frames[:0])
			writeEvents(w, frames)
			clear(frames)
			if flush() != nil {
				return
			}
		case <-tick.C:
			if comment("") != nil {
				return
			}
		case <-end.C:
			return
		case <-sub.Done():
			writeEvents(w, sub.Take(nil))
			if err := sub.Err(); err != nil {
				_ = comment(" closed: " + err.Error())
			}
			return
		}
	}
}

// writeEvents leaves errors to the flush that follows.
func writeEvents(w *bufio.Writer, frames []realtime.Frame) {
	for i := range frames {
		if frames[i].Raw {
			_, _ = w.Write(frames[i].Data)
			continue
		}
		_, _ = w.WriteString("data: ")
		_, _ = w.Write(frames[i].Data)
		_, _ = w.WriteString("\n\n")
	}
}
