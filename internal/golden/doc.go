// Package golden replays what the reference server was recorded to do against a
// running server, and compares. A recording is a list of exchanges: requests of
// clients and SDKs to the server, and calls of the server to an app. The replay
// plays both sides at their recorded times (a scripted app answers the calls, a
// client sends the requests) and checks everything that the server says: each
// call's path, headers and body, each answer, each internal event.
//
// Ids, times and addresses stand as placeholders in the recordings. A placeholder
// matches any value of its kind, and within one file a label always stands for
// the same value and no two labels for one value ([Bindings]).
//
// What does not live here: the replay of single answers of the event API and of
// registration (package api).
package golden
