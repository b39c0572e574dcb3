// Package wire is the protocol between the server and SDKs without the network:
// the body and signature of a call request (spec 01 §3.3, §7), the parsing of
// operations (§9), and what an answer of any shape means to the engine (§8).
// Every driver that reaches user code builds on it, and so does the checkpoint
// API, which receives the same operations.
//
// It works on spans of the input: `data`, `opts` and outputs are never decoded
// into maps. What it returns is canonical JSON (RFC 8785) in memory of its own.
//
// What does not live here: connections (package transport) and what becomes of
// an operation (package engine).
package wire
