// Package front serves the requests that are small and many, those with events, for
// all connections from one goroutine for each few processors, and leaves every other
// request, connection and all, to the general HTTP server behind it.
//
// A server with a goroutine for each connection wakes two of them for every single
// event: one when its request arrives and one when the log is synced. That costs more
// than everything else that is done for the event (docs/performance.md). The front reads
// all connections that have something (epoll), hands what came to the log as one
// batch, and answers all of the batch when it is durable.
//
// What lives here: connections, the framing of such requests, batches, and the way to
// the server behind ([Listen] returns a listener whose Accept yields what the front
// leaves alone). A request that is in any way unusual (request.go says what is usual),
// that takes long to arrive or that [Handler] declines is not answered here: the server
// behind sees the same bytes, so that there is one place that knows all of HTTP. It may
// give the connection back ([Conn]).
//
// What does not live here: what a request means. That is the Handler's, in package api.
package front

import (
	"log/slog"
	"net"
	"time"

	"ingot/engine"
)

// Bounds of what the front serves.
const (
	// MaxRequest bounds a request in bytes, with its head. Larger ones are left to the
	// server behind: they would keep the others waiting, and gain nothing.
	MaxRequest = 64 << 10
	// maxHead bounds the request line and the headers.
	maxHead = 8 << 10
)

// Batch is what the requests of one turn of a loop come to: records for the log, and the
// responses that are sent when they are durable.
type Batch struct {
	// Records are event records as the log takes them, Count of them.
	Records []byte
	Count   int
	// Responses has the response of each request, in order.
	Responses []byte
}

// Handler is what the requests of one loop mean. Each loop has its own, and calls it from
// one goroutine at a time, except for AppendRefusal.
type Handler interface {
	// Take handles a request: it appends what is to be logged to b.Records, adds the number
	// of records to b.Count, appends the whole response to b.Responses, and returns true;
	// or it returns false, to leave the request to the server behind, whatever it has
	// appended. The request is valid during the call. A Take that panics has returned false.
	Take(b *Batch, r *Request) bool
	// AppendRefusal appends the response to a request whose records could not be logged.
	AppendRefusal(dst []byte, err error) []byte
}

// Conn is a connection that the front has left to the server behind.
type Conn interface {
	net.Conn
	// Event counts a request of the kind that the front serves. It reports whether there
	// were so many that it is worth to Return the connection.
	Event() bool
	// Return gives the connection back to the front, with what has been read of its next
	// request. All that is left to the caller is Close.
	Return(head []byte)
}

// Options configure a front.
type Options struct {
	// NewHandler returns the Handler of a loop.
	NewHandler func() Handler
	// Log takes the batches.
	Log engine.Log
	// MaxBody bounds the body of a request in bytes, if it is less than MaxRequest. Larger
	// ones are left to the server behind.
	MaxBody int
	// MaxConnections bounds the open connections, with those of the server behind. Further
	// ones are refused.
	MaxConnections int
	// RequestTimeout bounds the time from the first byte of a request to its last: those
	// that take longer are left to the server behind, which has limits of its own.
	// IdleTimeout bounds the time between two requests. They are kept to a few seconds.
	RequestTimeout, IdleTimeout time.Duration
	// WriteTimeout bounds how long a client may take to read a response.
	WriteTimeout time.Duration
	Logger       *slog.Logger
}
