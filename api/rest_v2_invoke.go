package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"ingot/engine"
	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Bounds of idempotency keys of invocations.
const (
	invokeKeyTime  = 24 * time.Hour
	maxInvokeKeys  = 10_000
	maxInvokeKey   = 512 // bytes
	invokePollMost = 100 * time.Millisecond
)

// v2Invoke starts a run of a function and answers with its id (spec 02 §8.5).
func (s *Server) v2Invoke(ctx context.Context, req *fasthttp.RequestCtx, p params, keys *invokeKeys) (v2Answer, error) {
	var data json.RawMessage
	var key string
	err := v2Decode(req, event.MaxEventSize, v2Fields{"data": takeObject(&data), "idempotencyKey": takeString(&key)})
	if err != nil {
		return v2Answer{}, err
	}
	fn := v2FindFunction(s.opts.Catalog.Snapshot(), p.get("app_id"), p.get("function_id"))
	switch {
	case fn == nil:
		return v2Answer{}, v2NotFound("Function")
	case data == nil:
		return v2Answer{}, v2Missing("Input data is required")
	case len(key) > maxInvokeKey:
		return v2Answer{}, v2Invalid(fmt.Sprintf("idempotencyKey cannot exceed %d bytes", maxInvokeKey))
	}
	if run, ok := keys.get(fn.ID, key); ok {
		return v2Answer{status: fasthttp.StatusConflict, data: v2RunID{run}}, nil
	}
	// The run is found in the history; an event whose run cannot be told is not sent.
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	e, err := invocation(fn, data, key)
	if err != nil {
		return v2Answer{}, err
	}
	if err := s.v2Send(ctx, e); err != nil {
		return v2Answer{}, err
	}
	run, err := awaitRun(ctx, r, e.InternalID, fn.ID)
	if err != nil {
		return v2Answer{}, err
	}
	keys.put(fn.ID, key, run)
	return v2Answer{data: v2RunID{run}}, nil
}

// invocation makes the event. The key becomes its id, by which the engine leaves out
// repetitions, also when this process has forgotten the key.
func invocation(fn *function.Function, data json.RawMessage, key string) (*event.Event, error) {
	now := time.Now().UnixMilli()
	e := &event.Event{InternalID: ids.New(now)}
	id := key
	if id == "" {
		id = ids.New(now).String()
	}
	body, err := json.Marshal(struct {
		Data json.RawMessage `json:"data"`
		ID   string          `json:"id"`
	}{data, id})
	if err != nil {
		return nil, fmt.Errorf("write the event: %w", err)
	}
	if err := event.ParseInvocation(body, fn.ID.String(), now, e); err != nil {
		return nil, v2Fault(fasthttp.StatusBadRequest, "validation_error", err.Error())
	}
	return e, nil
}

// awaitRun returns the run that an event has started in a function, as soon as the
// history has it, or why there is none.
func awaitRun(ctx context.Context, r history.Reader, id ulid.ULID, fn ids.UUID) (ulid.ULID, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, invokePollMost) {
		if err := r.Sync(ctx); err != nil {
			return ulid.ULID{}, err //nolint:wrapcheck // it says what is away
		}
		runs, err := r.RunsOfEvents(ctx, []ulid.ULID{id}, false)
		if err != nil {
			return ulid.ULID{}, err //nolint:wrapcheck // likewise
		}
		for i := range runs[id] {
			if runs[id][i].Function == fn {
				return runs[id][i].ID, nil
			}
		}
		skips, err := r.Skips(ctx, []ulid.ULID{id})
		if err != nil {
			return ulid.ULID{}, err //nolint:wrapcheck // likewise
		}
		for i := range skips {
			if skips[i].Function == fn {
				return ulid.ULID{}, v2Skipped(&skips[i])
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ulid.ULID{}, fmt.Errorf("event %s is accepted, but its run cannot be read yet: %w", id, ctx.Err())
		}
	}
}

// v2Skipped says why an invocation started no run, or none yet.
func v2Skipped(skip *history.Skip) error {
	status, code, text := fasthttp.StatusUnprocessableEntity, "function_skipped", "Function run was skipped: "+skip.Reason
	switch {
	case skip.Reason == engine.SkipIdempotency:
		status, code, text = fasthttp.StatusConflict, "idempotency_conflict", "The idempotencyKey was used before, within 24 hours"
	case skip.Reason == engine.SkipRateLimit:
		code, text = "rate_limited", "Function is rate limited"
	case skip.Reason == engine.SkipDebounce:
		code, text = "function_debounced", "Function is debounced"
	case skip.Pending:
		code, text = "function_debounced", "The event is accepted and waits for others: "+skip.Reason
	}
	return v2Fault(status, code, text)
}

// invokeKeys remembers which runs idempotency keys led to.
type invokeKeys struct {
	mu   sync.Mutex
	runs map[invokeKey]invokedRun
	// order are the keys, oldest first: those that make room.
	order []invokeKey
}

type invokeKey struct {
	fn  ids.UUID
	key string
}

type invokedRun struct {
	id ulid.ULID
	at time.Time
}

func (k *invokeKeys) get(fn ids.UUID, key string) (ulid.ULID, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	run, ok := k.runs[invokeKey{fn, key}]
	return run.id, ok && time.Since(run.at) < invokeKeyTime
}

func (k *invokeKeys) put(fn ids.UUID, key string, run ulid.ULID) {
	if key == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.runs == nil {
		k.runs = map[invokeKey]invokedRun{}
	}
	if len(k.order) == maxInvokeKeys {
		delete(k.runs, k.order[0])
		k.order = k.order[1:]
	}
	id := invokeKey{fn, key}
	if _, ok := k.runs[id]; !ok {
		k.order = append(k.order, id)
	}
	k.runs[id] = invokedRun{run, time.Now()}
}

// errNoOperator is the answer of a server without an engine that operators may use.
var errNoOperator = errors.New("this server has no operations")
