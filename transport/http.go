package transport

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
	"ingot/transport/wire"

	"github.com/valyala/fasthttp"
)

// Defaults of Options.
const (
	DefaultWorkers        = 512
	DefaultQueue          = 1 << 16
	DefaultTimeout        = 2 * time.Hour
	DefaultConnectTimeout = 10 * time.Second
	DefaultIdleTimeout    = time.Minute
)

// closeTimeout bounds how long Close waits for workers.
const closeTimeout = 5 * time.Second

// Options configure an HTTP driver. Zero values mean the defaults.
type Options struct {
	// SigningKey signs requests; empty sends them unsigned (dev).
	SigningKey string
	// Workers bounds the calls under way at the same time. Further calls wait in the queue.
	Workers int
	// Queue bounds the calls that wait for a worker. It should be the engine's limit
	// of calls in flight; a call above it fails at once.
	Queue int
	// Timeout bounds one call, from its start to the end of the answer, with redirects.
	Timeout time.Duration
	// ConnectTimeout bounds the making of a connection, without the TLS handshake.
	ConnectTimeout time.Duration
	// IdleConnections bounds the connections that wait for the next call, those to all
	// apps together; 0 means as many as workers.
	IdleConnections int
	// IdleTimeout is how long an unused connection is kept at most. An app that
	// announces a shorter time is obeyed.
	IdleTimeout time.Duration
	// RootCAs verify HTTPS apps; nil is the system's set.
	RootCAs *x509.CertPool
	// Network restricts which addresses may be called.
	Network NetworkPolicy
	// Publish receives the response bodies of gateway steps that ask for their
	// publication to a realtime topic; nil drops them. It must not block.
	Publish func(channel, topic string, body []byte)
	Logger  *slog.Logger
}

// HTTP reaches user code over HTTP. It implements engine.Transport.
type HTTP struct {
	opts    Options
	signer  *wire.Signer
	dialer  *dialer
	client  client
	targets targets
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running int
	workers *workers // nil at rest
	// The queue is a list of jobs that found all workers busy.
	queued     int
	head, tail *job
}

var _ engine.Transport = (*HTTP)(nil)

// job is one call or gateway request; exactly one of call and gateway is set.
type job struct {
	call        *engine.Call
	done        func(engine.Result)
	gateway     *engine.GatewayCall
	gatewayDone func(engine.GatewayResult)
	next        *job
}

// scratch is what a worker needs during one exchange.
type scratch struct {
	req                          request
	resp                         fasthttp.Response
	head, headers, body, decoded []byte
}

var (
	jobs      = sync.Pool{New: func() any { return new(job) }}
	scratches = sync.Pool{New: func() any { return new(scratch) }}
)

// maxPooled is the size up to which buffers are kept for reuse.
const maxPooled = 256 << 10

func (s *scratch) release() {
	s.resp.Reset()
	s.req = request{}
	for _, b := range []*[]byte{&s.head, &s.headers, &s.body, &s.decoded} {
		if cap(*b) > maxPooled {
			*b = nil
		}
	}
	scratches.Put(s)
}

// NewHTTP starts a driver. It must be closed.
func NewHTTP(o Options) *HTTP {
	defaultTo(&o.Workers, DefaultWorkers)
	defaultTo(&o.Queue, DefaultQueue)
	defaultTo(&o.Timeout, DefaultTimeout)
	defaultTo(&o.ConnectTimeout, DefaultConnectTimeout)
	defaultTo(&o.IdleConnections, o.Workers)
	defaultTo(&o.IdleTimeout, DefaultIdleTimeout)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &HTTP{opts: o, signer: wire.NewSigner(o.SigningKey)}
	h.dialer = newDialer(o.Network, o.ConnectTimeout, o.RootCAs)
	h.client = client{pool: newPool(h.dialer, o.IdleTimeout, o.IdleConnections)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

func defaultTo[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Call posts a call request to the function and hands its classified answer to
// done. It does not block.
func (h *HTTP) Call(c *engine.Call, done func(engine.Result)) {
	j := jobs.Get().(*job)
	j.call, j.done = c, done
	h.submit(j)
}

// Gateway performs the HTTP request of a gateway step. It does not block.
func (h *HTTP) Gateway(c *engine.GatewayCall, done func(engine.GatewayResult)) {
	j := jobs.Get().(*job)
	j.gateway, j.gatewayDone = c, done
	h.submit(j)
}

func (h *HTTP) run(j *job) {
	if c, done := j.call, j.done; c != nil {
		j.release()
		done(h.perform(c))
		return
	}
	c, done := j.gateway, j.gatewayDone
	j.release()
	done(h.performGateway(c))
}

func (j *job) release() {
	*j = job{}
	jobs.Put(j)
}

// refuse answers a job that is not done.
func (j *job) refuse(res engine.Result) {
	if j.call != nil {
		res.Ref = j.call.Ref
		j.done(res)
	} else {
		failed := gatewayFailure(j.gateway, res.Error)
		failed.ErrorCode = res.ErrorCode
		j.gatewayDone(failed)
	}
	j.release()
}

// perform makes one call. A defect in here is a fault of the server, not of the function.
func (h *HTTP) perform(c *engine.Call) (res engine.Result) {
	start := time.Now()
	end := start // until there is an answer
	defer func() {
		if p := recover(); p != nil {
			h.opts.Logger.Error("a call has panicked", "panic", p, "run", c.Ref.RunID, "stack", string(debug.Stack()))
			res = wire.Failure(fmt.Sprintf("internal error: %v", p))
			res.ErrorCode = engine.CodeFault
		}
		res.Ref = c.Ref
		res.StartedAt = start.UnixMilli()
		res.Duration = int64(end.Sub(start))
	}()
	s := scratches.Get().(*scratch)
	defer s.release()
	r := &s.req
	r.begun = start
	if err := h.prepare(s, c, start); err != nil {
		return wire.Failure(fmt.Sprintf("error performing request: %v", err))
	}
	var err error
	s.head, err = h.client.do(h.ctx, r, &s.resp, start.Add(h.opts.Timeout), s.head)
	end = time.Now()
	if err != nil {
		return failed(r, err, c.Sync != nil)
	}
	answer := wire.Response{Status: s.resp.StatusCode()}
	if answer.Body, s.decoded, err = decodedBody(s.decoded, &s.resp); err != nil {
		res = failedDecoding(r, err, c.Sync != nil)
		res.Status = answer.Status
		return res
	}
	if r.target.lambda {
		if err := unwrapLambda(&answer); err != nil {
			return wire.Failure(err.Error())
		}
	} else {
		answer.SDK = s.resp.Header.Peek("X-Inngest-Sdk")
		answer.ReqVersion = s.resp.Header.Peek("X-Inngest-Req-Version")
		answer.NoRetry = s.resp.Header.Peek("X-Inngest-No-Retry")
		answer.RetryAfter = s.resp.Header.Peek("Retry-After")
		answer.ContentType = s.resp.Header.Peek("Content-Type")
	}
	if c.Sync != nil {
		res = wire.ClassifySync(&answer, end)
	} else {
		res = wire.Classify(&answer, end)
	}
	res.Size, res.Header = len(answer.Body), keptHeader(&s.resp.Header)
	return res
}

// prepare builds the request of a call.
func (h *HTTP) prepare(s *scratch, c *engine.Call, now time.Time) (err error) {
	r := &s.req
	if c.Sync != nil {
		return h.prepareSync(s, c, now)
	}
	if r.target, err = h.targets.get(c.URL); err != nil {
		return err
	}
	r.method, r.step = "POST", c.StepID
	s.body = wire.AppendBody(s.body[:0], c)
	dst := append(s.headers[:0], "Account-Id: "+ids.AccountID+"\r\nContent-Type: application/json\r\n"...)
	dst = append(dst, "Traceparent: "...)
	dst = wire.AppendTraceparent(dst, c.Trace, c.RequestID)
	dst = append(dst, "\r\nTracestate: "...)
	dst = wire.AppendTracestate(dst, c.Fn, c.Ref.RunID, c.RequestID)
	dst = append(dst, "\r\n"...)
	dst = appendCallHeaders(dst, c)
	if h.signer != nil {
		dst = append(dst, "X-Inngest-Signature: "...)
		dst = h.signer.Append(dst, s.body, now.Unix())
		dst = append(dst, "\r\n"...)
	}
	dst = appendStepHeader(dst, c)
	dst = appendIDHeaders(dst, c)
	if r.target.lambda {
		s.body = wrapLambda(r, dst, s.body)
		dst = append(dst[:0], "Content-Type: application/json\r\n"...)
	}
	s.headers, r.headers, r.body = dst, dst, s.body
	return nil
}

// prepareSync builds the re-entry into a durable endpoint (spec 01 §14.5). The
// signature header is there even without a key: by it the SDK knows the server.
func (h *HTTP) prepareSync(s *scratch, c *engine.Call, now time.Time) (err error) {
	r := &s.req
	if r.target, err = newTarget(c.Sync.URL, false); err != nil {
		return err
	}
	r.method, r.body = c.Sync.Method, c.Sync.Body
	if !validToken(r.method) {
		return fmt.Errorf("invalid method %q", r.method)
	}
	contentType := c.Sync.ContentType
	if contentType == "" || !validValue(contentType) {
		contentType = "application/json"
	}
	dst := append(s.headers[:0], "Content-Type: "...)
	dst = append(dst, contentType...)
	dst = append(dst, "\r\n"...)
	if c.DisableImmediate {
		dst = append(dst, "X-Inngest-Force-Step-Plan: true\r\n"...)
	}
	dst = appendCallHeaders(dst, c)
	dst = append(dst, "X-Inngest-Signature: "...)
	if h.signer != nil {
		dst = h.signer.AppendCanonical(dst, r.body, now.Unix())
	}
	dst = append(dst, "\r\n"...)
	if c.StepID != discoveryStep {
		dst = appendStepHeader(dst, c)
	}
	dst = appendIDHeaders(dst, c)
	s.headers, r.headers = dst, dst
	return nil
}

// discoveryStep is the step id of a call that is not for a planned step.
const discoveryStep = "step"

func appendCallHeaders(dst []byte, c *engine.Call) []byte {
	if c.Ref.Generation != 0 {
		dst = append(dst, "X-Inngest-Generation-Id: "...)
		dst = strconv.AppendUint(dst, uint64(c.Ref.Generation), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "X-Inngest-Job-Id: "...)
	dst = appendValue(dst, c.JobID)
	dst = append(dst, "\r\nX-Inngest-Req-Version: "...)
	dst = strconv.AppendInt(dst, int64(c.RequestVersion), 10)
	return append(dst, "\r\n"...)
}

func appendStepHeader(dst []byte, c *engine.Call) []byte {
	dst = append(dst, "X-Inngest-Step-Id: "...)
	dst = appendValue(dst, c.StepID)
	return append(dst, "\r\n"...)
}

func appendIDHeaders(dst []byte, c *engine.Call) []byte {
	dst = append(dst, "X-Request-Id: "...)
	dst = wire.AppendULID(dst, c.RequestID)
	dst = append(dst, "\r\nX-Run-Id: "...)
	dst = wire.AppendULID(dst, c.Ref.RunID)
	return append(dst, "\r\n"...)
}

// Close ends all calls, those under way with a result that says so, and waits
// for their callbacks for a few seconds at most.
func (h *HTTP) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	waiting := h.head
	h.head, h.tail, h.queued = nil, nil, 0
	last := h.workers
	h.mu.Unlock()
	h.cancel()
	h.client.pool.close()
	for waiting != nil {
		j := waiting
		waiting = j.next
		j.refuse(shutdownResult())
	}
	if last == nil {
		return nil
	}
	last.resting.Stop()
	if err := last.pool.ReleaseTimeout(closeTimeout); err != nil {
		return fmt.Errorf("calls are still under way after %s: %w", closeTimeout, err)
	}
	return nil
}
