package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"
)

// Page sizes of dead letters, and how many one request re-drives at most.
const (
	deadPage     = 50
	maxDeadPage  = 500
	maxRedriven  = 10_000
	deadTies     = 64 // more entries than partitions with one time and id
	deadListLink = "-"
)

// deadJSON is a dead letter. Its ID names it in paths and as a cursor.
type deadJSON struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"` // run, events, entry or message
	Run        string    `json:"run_id,omitempty"`
	FunctionID string    `json:"function_id,omitempty"`
	Function   string    `json:"function,omitempty"`
	Reason     string    `json:"reason"`
	Bytes      int       `json:"bytes"`
}

func deadID(d *engine.DeadLetter) string {
	return strconv.Itoa(d.Partition) + deadListLink + strconv.FormatInt(d.At, 10) + deadListLink + d.ID.String()
}

// parseDeadID is the opposite of deadID; ok is false for what it has not made.
func parseDeadID(text string) (d engine.DeadLetter, ok bool) {
	parts := strings.Split(text, deadListLink)
	if len(parts) != 3 {
		return d, false
	}
	var errs [3]error
	d.Partition, errs[0] = strconv.Atoi(parts[0])
	d.At, errs[1] = strconv.ParseInt(parts[1], 10, 64)
	d.ID, errs[2] = ulid.ParseStrict(parts[2])
	return d, errors.Join(errs[:]...) == nil
}

func (s *Server) showDead(d *engine.DeadLetter) deadJSON {
	out := deadJSON{ID: deadID(d), At: time.UnixMilli(d.At).UTC(), Kind: d.Kind.String(), Reason: d.Reason, Bytes: len(d.Body)}
	if d.Kind == engine.DeadRun {
		out.Run = d.ID.String()
	}
	if d.Fn != (ids.UUID{}) {
		out.FunctionID = d.Fn.String()
	}
	if f := s.opts.Catalog.Snapshot().ByID[d.Fn]; f != nil {
		out.Function = f.Slug
	}
	return out
}

func compareDead(a, b *engine.DeadLetter) int {
	return cmp.Or(cmp.Compare(a.At, b.At), a.ID.Compare(b.ID), cmp.Compare(a.Partition, b.Partition))
}

// deadAfter returns up to limit letters behind one, oldest first; nil begins at the oldest.
func (s *Server) deadAfter(ctx context.Context, after *engine.DeadLetter, limit int) ([]engine.DeadLetter, error) {
	var from engine.DeadLetter
	if after != nil {
		from = *after
	}
	all, err := s.opts.Operator.DeadLetters(ctx, from.At, from.ID, limit+deadTies)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller logs it with the path
	}
	slices.SortFunc(all, func(a, b engine.DeadLetter) int { return compareDead(&a, &b) })
	if after != nil {
		all = slices.DeleteFunc(all, func(d engine.DeadLetter) bool { return compareDead(&d, after) <= 0 })
	}
	return all[:min(limit, len(all))], nil
}

// opsDeadLetters lists them, oldest first; `cursor` is the last id of the page before.
func (s *Server) opsDeadLetters(ctx context.Context, req *fasthttp.RequestCtx, _ params) (any, error) {
	limit := deadPage
	if text := string(req.QueryArgs().Peek("limit")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxDeadPage {
			return nil, badRequestf(fmt.Sprintf("limit must be a number from 1 to %d", maxDeadPage))
		}
		limit = n
	}
	var after *engine.DeadLetter
	if text := string(req.QueryArgs().Peek("cursor")); text != "" {
		d, ok := parseDeadID(text)
		if !ok {
			return nil, badRequestf("cursor is not the id of a dead letter")
		}
		after = &d
	}
	letters, err := s.deadAfter(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]deadJSON, 0, len(letters))
	for i := range letters {
		out = append(out, s.showDead(&letters[i]))
	}
	return out, nil
}

// deadOfPath names the letter of the path.
func deadOfPath(p params) (*engine.DeadLetter, error) {
	d, ok := parseDeadID(p.get("id"))
	if !ok {
		return nil, badRequestf("Invalid dead letter ID")
	}
	return &d, nil
}

// deadErr gives errors of the engine their status.
func deadErr(err error) error {
	switch {
	case errors.Is(err, engine.ErrNoDeadLetter):
		return &restError{fasthttp.StatusNotFound, "dead letter not found"}
	case errors.Is(err, engine.ErrStillDead):
		return &restError{fasthttp.StatusConflict, err.Error()}
	}
	return err
}

func (s *Server) opsRedrive(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	d, err := deadOfPath(p)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Operator.Redrive(ctx, d); err != nil {
		return nil, deadErr(err)
	}
	return struct {
		ID string `json:"id"`
	}{deadID(d)}, nil
}

func (s *Server) opsDiscard(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	d, err := deadOfPath(p)
	if err != nil {
		return nil, err
	}
	return nil, deadErr(s.opts.Operator.Discard(ctx, d))
}

// redrivenJSON is what came of re-driving many.
type redrivenJSON struct {
	Redriven int `json:"redriven"`
	// Failed are those that still cannot run, with the last reason.
	Failed int    `json:"failed"`
	Error  string `json:"error,omitempty"`
	// Cursor goes on behind those, if there are more.
	Cursor string `json:"cursor,omitempty"`
}

// opsRedriveAll re-drives all that there are, up to maxRedriven and as many as the time
// of a request allows.
func (s *Server) opsRedriveAll(ctx context.Context, req *fasthttp.RequestCtx, _ params) (any, error) {
	var after *engine.DeadLetter
	if text := string(req.QueryArgs().Peek("cursor")); text != "" {
		d, ok := parseDeadID(text)
		if !ok {
			return nil, badRequestf("cursor is not the id of a dead letter")
		}
		after = &d
	}
	var out redrivenJSON
	for out.Redriven+out.Failed < maxRedriven {
		letters, err := s.deadAfter(ctx, after, deadPage)
		if err != nil {
			return nil, err
		}
		if len(letters) == 0 {
			return out, nil
		}
		for i := range letters {
			switch err := s.opts.Operator.Redrive(ctx, &letters[i]); {
			case err == nil:
				out.Redriven++
			case errors.Is(err, engine.ErrStillDead):
				out.Failed++
				out.Error = err.Error()
			case !errors.Is(err, engine.ErrNoDeadLetter): // somebody else was faster
				return nil, err //nolint:wrapcheck // the caller logs it with the path
			}
			after = &letters[i]
		}
	}
	out.Cursor = deadID(after)
	return out, nil
}
