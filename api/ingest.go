package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// ingestRoutes adds the event API (spec 02 §3). The key is checked from the path
// only; Authorization has no say here.
func (s *Server) ingestRoutes(r *router) {
	r.handle(fasthttp.MethodPost, ingestPrefix+"{key}", s.ingest)
}

const ingestPrefix = "/e/"

// eventKeys are the SHA-256 of the keys that may send events. Looking a digest up
// takes a time that tells nothing about the keys. Empty lets everyone send.
type eventKeys map[[sha256.Size]byte]struct{}

func newEventKeys(keys []string) eventKeys {
	set := make(eventKeys, len(keys))
	for _, k := range keys {
		set[sha256.Sum256([]byte(k))] = struct{}{}
	}
	return set
}

func (k eventKeys) ok(key string) bool {
	if len(k) == 0 {
		return true
	}
	_, ok := k[sha256.Sum256(unsafe.Slice(unsafe.StringData(key), len(key)))] // long keys would be copied to the heap
	return ok
}

const keyNotFoundBody = `{"status":401,"message":"","error":"Event key not found"}` + "\n"

// ingest is the state of one request to the event API. It is pooled: in steady
// state a request allocates nothing.
type ingest struct {
	parser event.Parser
	event  event.Event
	// records are the accepted events as the log takes them, n of them.
	records []byte
	n       int
	// reply is the response; its ids are written as the events are accepted.
	reply []byte
	// plain holds a decompressed body.
	plain []byte
}

// maxPooled bounds the buffers that the pool keeps, so that one huge request does
// not hold its memory for ever.
const maxPooled = 4 << 20

var ingests = sync.Pool{New: func() any { return new(ingest) }}

func (in *ingest) release() {
	if cap(in.records)+cap(in.plain)+cap(in.reply) > maxPooled {
		return
	}
	in.parser.Reset(nil, 0)
	in.event = event.Event{}
	ingests.Put(in)
}

// ingest accepts events: `POST /e/{key}`. It answers 200 when they are durable.
// As in the reference, the events of an array before an invalid one are accepted.
func (s *Server) ingest(ctx *fasthttp.RequestCtx, p params) {
	s.returnToFront(ctx)
	if !s.keys.ok(p.get("key")) {
		ctx.SetStatusCode(fasthttp.StatusUnauthorized)
		ctx.SetContentType(contentTypeJSON)
		ctx.SetBodyString(keyNotFoundBody)
		return
	}
	in := ingests.Get().(*ingest)
	defer in.release()
	in.begin()
	body, err := s.plainBody(ctx, in)
	if err != nil {
		in.fail(ctx, statusOf(err), err)
		return
	}
	now := time.Now().UnixMilli()
	header := ctx.Request.Header.Peek(headerSeed)
	err = s.parse(in, header, body, now)
	if errors.Is(err, event.ErrBody) {
		if form, ok := formBody(ctx, body); ok {
			in.begin()
			err = s.parse(in, header, form, now)
		}
	}
	if err != nil && errors.As(err, new(*engine.BacklogError)) {
		s.overloaded(ctx, in, err)
		return
	}
	if in.n > 0 {
		if logErr := s.opts.Log.Append(in.records, in.n); logErr != nil {
			s.overloaded(ctx, in, logErr)
			return
		}
	}
	if err != nil {
		in.fail(ctx, fasthttp.StatusBadRequest, err)
		return
	}
	in.done()
	in.answer(ctx, fasthttp.StatusOK)
}

// begin empties the state for the events of a body.
func (in *ingest) begin() {
	in.n, in.records = 0, in.records[:0]
	in.reply = append(in.reply[:0], `{"ids":[`...)
}

// end closes the list of ids. It is never empty.
func (in *ingest) end() {
	if in.n == 0 {
		in.reply = append(in.reply, `""`...)
	}
	in.reply = append(in.reply, ']')
}

// done ends the reply of a request that was accepted in whole.
func (in *ingest) done() {
	in.end()
	in.reply = append(in.reply, `,"status":200}`+"\n"...)
}

// parse reads the events of body into records and reply. It returns what ended it
// early; with a *engine.BacklogError nothing of the request may be accepted.
func (s *Server) parse(in *ingest, header, body []byte, now int64) error {
	seed, seeded := parseSeed(header)
	e := &in.event
	e.Seeded = seeded
	in.parser.Reset(body, now)
	for in.parser.Next(e) {
		if s.opts.Admit != nil {
			if err := s.opts.Admit(e); err != nil {
				return err
			}
		}
		if in.n > 0 {
			in.reply = append(in.reply, ',')
		}
		in.n++
		if seeded {
			e.InternalID = seed.id(uint32(in.n))
		} else {
			e.InternalID = ids.New(now)
		}
		in.records = e.AppendRecord(in.records)
		in.reply = append(in.reply, '"')
		in.reply = e.AppendInternalID(in.reply)
		in.reply = append(in.reply, '"')
	}
	return in.parser.Err()
}

// fail answers with the event API's error envelope.
func (in *ingest) fail(ctx *fasthttp.RequestCtx, status int, err error) {
	in.failed(status, err)
	in.answer(ctx, status)
}

// answer answers with the reply.
func (in *ingest) answer(ctx *fasthttp.RequestCtx, status int) {
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentTypeJSON)
	ctx.SetBody(in.reply)
}

// failed ends the reply as the event API's error envelope: the ids of what was accepted
// before, and the error.
func (in *ingest) failed(status int, err error) {
	in.end()
	in.reply = append(in.reply, `,"status":`...)
	in.reply = strconv.AppendInt(in.reply, int64(status), 10)
	text, _ := json.Marshal(err.Error()) // a string always encodes
	in.reply = append(in.reply, `,"error":`...)
	in.reply = append(in.reply, text...)
	in.reply = append(in.reply, "}\n"...)
}

// overloaded answers that nothing of the request was accepted and that the sender
// should come back.
func (s *Server) overloaded(ctx *fasthttp.RequestCtx, in *ingest, err error) {
	status := s.refuse(in, err)
	ctx.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
	in.answer(ctx, status)
}

// refuse makes the reply of a request of which nothing was accepted, and returns the
// status.
func (s *Server) refuse(in *ingest, err error) (status int) {
	s.logOverload(err)
	in.begin()
	status = refusalStatus(err)
	if status == 0 {
		status = fasthttp.StatusServiceUnavailable // of a log of another kind
	}
	in.failed(status, err)
	return status
}

// logOverload logs refusals at most once a second: there can be very many.
func (s *Server) logOverload(err error) {
	now := time.Now().Unix()
	if last := s.lastOverload.Load(); now == last || !s.lastOverload.CompareAndSwap(last, now) {
		return
	}
	if errors.Is(err, engine.ErrClosed) {
		return
	}
	s.log.Error("events are refused", "error", err)
}
