// Package transport is how user code is reached over HTTP. [HTTP] implements
// engine.Transport: it posts call requests to SDK apps, performs the requests of
// gateway steps, and pings and probes apps for registration.
//
// A call's way: [HTTP.Call] puts it on a bounded queue and returns; a worker of
// an ants pool builds the request by copying spans (package wire), writes it on a
// kept-alive connection, reads the answer into pooled memory, and hands the
// classified result to the caller's callback.
//
// The HTTP/1.1 wire is fasthttp's: its response parser and its buffers. Its
// client is not used, because it does not tell whether a connection was reused
// and whether the app had begun to answer, which decides if a request may be
// repeated without costing an attempt (conn.go, exchange.go). There is no HTTP/2
// and no proxy support.
//
// What does not live here: the meaning of bodies and answers (package wire), and
// what follows from a result (package engine).
package transport
