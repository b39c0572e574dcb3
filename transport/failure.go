package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"

	"ingot/engine"
	"ingot/transport/wire"
)

// failureText says in the reference's words why no answer came (spec 01 §8.8).
func failureText(r *request, err error) string {
	var pe *phaseError
	if errors.As(err, &pe) {
		switch {
		case pe.phase == phaseBody && !errors.Is(err, os.ErrDeadlineExceeded):
			return wire.TextReset
		case pe.phase == phaseConnect && isUnreachable(err), pe.phase == phaseAnswer && closedByPeer(err):
			return wire.TextUnreachable
		}
	}
	method := r.method[:1] + strings.ToLower(r.method[1:])
	return "error performing request: " + method + ` "` + r.target.location(r.step) + `": ` + detail(err)
}

func isUnreachable(err error) bool {
	for _, u := range unreachableErrors {
		if errors.Is(err, u) {
			return true
		}
	}
	return false
}

func detail(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return "context deadline exceeded"
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return dns.Error()
	}
	return err.Error()
}

// failed is the result of a call that got no answer that can be read.
func failed(r *request, err error, sync bool) engine.Result {
	switch {
	case isShutdown(err):
		return shutdownResult()
	case errors.Is(err, errTooLarge) && sync:
		res := wire.Failure("SDK response too large: " + wire.TextTooLarge)
		res.NoRetry = true
		return res
	case errors.Is(err, errTooLarge):
		return wire.TooLarge()
	case sync:
		return wire.Failure("Unable to reach SDK: " + failureText(r, err))
	}
	return wire.Failure(failureText(r, err))
}

// isShutdown recognises what Close does to calls under way: only it closes
// connections in use and cancels the client's context.
func isShutdown(err error) bool {
	return errors.Is(err, errPoolClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled)
}

// failedDecoding is the result of an answer whose body cannot be unpacked.
func failedDecoding(r *request, err error, sync bool) engine.Result {
	if errors.Is(err, errTooLarge) {
		return failed(r, err, sync)
	}
	return wire.Failure(err.Error())
}

func shutdownResult() engine.Result {
	res := wire.Failure(errPoolClosed.Error())
	res.ErrorCode = wire.CodeShutdown
	return res
}
