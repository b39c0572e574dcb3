package api

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ingot/engine"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Bounds of what the API may add to one run: metadata (spec 02 §14), and spans of user code.
const (
	maxRunMetadata = 1 << 20
	maxRunSpans    = 8 << 20
	// maxKept is the number of runs whose sizes are remembered.
	maxKept = 10_000
)

// restRefused answers an error of what changes something, with its own status.
func (s *Server) restRefused(ctx *fasthttp.RequestCtx, err error) {
	var refused *restError
	if errors.As(err, &refused) {
		publicErr(ctx, refused.status, "", refused.text)
		return
	}
	s.restFailed(ctx, err)
}

// appendRecords adds records, all of one kind, to a run in the history, and returns when
// they are durable. Those of an unknown run are dropped, as is everything on a server that
// keeps no history. A *restError says that the run has too much of them.
func (s *Server) appendRecords(ctx context.Context, run ulid.ULID, records []engine.Lifecycle) error {
	if s.opts.History == nil || len(records) == 0 {
		return nil
	}
	r, err := s.current(ctx) // a run that has just begun would be unknown
	if err != nil {
		return err
	}
	size := 0
	for i := range records {
		size += len(records[i].Payload)
	}
	kind := records[0].Kind
	if err := s.kept.add(ctx, r, run, kind, size); err != nil {
		return err
	}
	if err := r.Append(ctx, records...); err != nil {
		s.kept.take(run, kind, size)
		return fmt.Errorf("add to run %s: %w", run, err)
	}
	return nil
}

// keptSizes knows how much of what the API was told is kept with runs, so that it need
// not be read again for each addition.
type keptSizes struct {
	mu   sync.Mutex
	runs map[ulid.ULID]*keptSize
	// order are the runs, oldest first: those that make room.
	order []ulid.ULID
}

// keptSize are bytes.
type keptSize struct{ metadata, spans int }

func (k *keptSize) of(kind engine.LifecycleKind) (size *int, limit int) {
	if kind == engine.UserSpan {
		return &k.spans, maxRunSpans
	}
	return &k.metadata, maxRunMetadata
}

// add counts size bytes for a run, unless they are too many.
func (k *keptSizes) add(ctx context.Context, r history.Reader, run ulid.ULID, kind engine.LifecycleKind, size int) error {
	k.mu.Lock()
	known := k.runs[run]
	k.mu.Unlock()
	if known == nil {
		read, err := readKept(ctx, r, run)
		if err != nil {
			return err
		}
		known = k.remember(run, read)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	is, limit := known.of(kind)
	if *is+size > limit {
		return &restError{fasthttp.StatusRequestEntityTooLarge, metadataCumulative}
	}
	*is += size
	return nil
}

// take undoes add.
func (k *keptSizes) take(run ulid.ULID, kind engine.LifecycleKind, size int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.runs[run]; known != nil {
		is, _ := known.of(kind)
		*is -= size
	}
}

// remember keeps what was read, unless somebody else has read it meanwhile.
func (k *keptSizes) remember(run ulid.ULID, read *keptSize) *keptSize {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.runs[run]; known != nil {
		return known
	}
	if k.runs == nil {
		k.runs = map[ulid.ULID]*keptSize{}
	}
	if len(k.order) == maxKept {
		delete(k.runs, k.order[0])
		k.order = k.order[1:]
	}
	k.order = append(k.order, run)
	k.runs[run] = read
	return read
}

func readKept(ctx context.Context, r history.Reader, run ulid.ULID) (*keptSize, error) {
	traces, err := r.Traces(ctx, []ulid.ULID{run})
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	out := &keptSize{}
	for _, t := range traces {
		for i := range t.Records {
			if l := &t.Records[i]; l.Kind == engine.UserSpan || l.Kind == engine.StepMetadata {
				is, _ := out.of(l.Kind)
				*is += len(l.Payload)
			}
		}
	}
	return out, nil
}
