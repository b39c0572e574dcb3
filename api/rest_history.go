package api

import (
	"context"
	"errors"
	"time"

	"ingot/storage/history"

	"github.com/valyala/fasthttp"
)

// restTimeout bounds the work for one request of the REST APIs.
const restTimeout = 15 * time.Second

// maxRESTBody bounds the bodies of requests that carry neither events, metadata nor traces.
const maxRESTBody = 1 << 20

// errNoHistory is the answer of a server without a read model.
var errNoHistory = errors.New("this server keeps no history")

// current returns the read model once it has everything that was durable before.
func (s *Server) current(ctx context.Context) (history.Reader, error) {
	if s.opts.History == nil {
		return nil, errNoHistory
	}
	if err := s.opts.History.Sync(ctx); err != nil {
		return nil, err //nolint:wrapcheck // it says what is away
	}
	return s.opts.History, nil
}

// unavailable returns why a request cannot be served now, for a 503; ok is false for
// other errors.
func unavailable(err error) (reason string, ok bool) {
	switch {
	case errors.Is(err, errNoHistory), errors.Is(err, errNoOperator):
		return err.Error(), true
	case errors.Is(err, history.ErrUnavailable):
		return history.ErrUnavailable.Error(), true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "the request took longer than " + restTimeout.String() + " and was given up", true
	case retryable(err):
		return err.Error(), true
	}
	return "", false
}

// unixMS is a time in unix ms for what takes 0 as no bound. Nothing is as old as its least
// value, so a bound before 1970 means what it says.
func unixMS(t time.Time) int64 { return max(t.UnixMilli(), 1) }

// restError is a refusal in the form of the REST API v1.
type restError struct {
	status int
	text   string
}

func (e *restError) Error() string { return e.text }

func badRequestf(text string) error { return &restError{fasthttp.StatusBadRequest, text} }
