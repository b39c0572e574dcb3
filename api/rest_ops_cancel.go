package api

import (
	"context"
	"time"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// cancellationJSON is a bulk cancellation (spec 02 §6.7, where it does not work).
type cancellationJSON struct {
	bulkHead
	EnvironmentID string `json:"environment_id"`
	bulkScope
	StartedAfter  *time.Time `json:"started_after"`
	StartedBefore time.Time  `json:"started_before"`
	// Cancelled is the number of runs so far.
	Cancelled int `json:"cancelled"`
}

func showCancellation(j *bulkJob[cancellationJSON]) cancellationJSON {
	head, out := j.show()
	out.bulkHead = head
	if head.Status == bulkRunning {
		out.Cancelled = int(j.count.Load())
	}
	return out
}

// cancel cancels runs of a function that were queued within a time and whose first event
// meets a condition. It answers at the latest after bulkPatience; the rest goes on.
func (d *bulkDesk) cancel(ctx context.Context, req *fasthttp.RequestCtx, _ params) (any, error) {
	var in struct {
		bulkScope
		StartedAfter  string `json:"started_after"`
		StartedBefore string `json:"started_before"`
	}
	if err := decodeStrict(req, &in, "Invalid cancellation request"); err != nil {
		return nil, err
	}
	err := missing([2]string{"app_id", in.AppID}, [2]string{"function_id", in.FunctionID}, [2]string{"started_before", in.StartedBefore})
	if err != nil {
		return nil, err
	}
	after, err := optionalTime("started_after", in.StartedAfter)
	if err != nil {
		return nil, err
	}
	before, err := optionalTime("started_before", in.StartedBefore)
	if err != nil {
		return nil, err
	}
	if !before.After(after) {
		return nil, badRequestf("started_before must be after started_after")
	}
	f, _, err := in.resolve(d.s.opts.Catalog.Snapshot())
	if err != nil {
		return nil, err
	}
	view := cancellationJSON{EnvironmentID: ids.EnvID, bulkScope: in.bulkScope, StartedBefore: before}
	if !after.IsZero() {
		view.StartedAfter = &after
	}
	// Runs that come from now on are not meant, also if the operation takes long.
	place := bulkPlace{Fn: f.ID, Before: min(unixMS(before), time.Now().UnixMilli()+1)}
	j, err := d.cancellations.start(view, place)
	if err != nil {
		return nil, err
	}
	d.s.log.Info("an operator cancels runs", "function", f.Slug, "id", j.id.String())
	j.wait(ctx)
	return showCancellation(j), nil
}

// runCancellation lets the engine do it, which knows by the id how far it was.
func (d *bulkDesk) runCancellation(ctx context.Context, j *bulkJob[cancellationJSON]) error {
	_, v := j.show()
	b := engine.BulkCancel{Fn: j.place.Fn, Before: j.place.Before, If: v.If, ID: j.id, Progress: &j.count}
	if v.StartedAfter != nil {
		b.After = unixMS(*v.StartedAfter)
	}
	return d.s.insist(ctx, func() error {
		n, err := d.s.opts.Operator.CancelBulk(ctx, &b)
		if err == nil {
			j.update(func(v *cancellationJSON, _ *bulkPlace) { v.Cancelled = n })
		}
		return err //nolint:wrapcheck // it is shown with the cancellation
	})
}

func (d *bulkDesk) oneCancellation(_ context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	j, err := d.cancellations.find(p)
	if err != nil {
		return nil, err
	}
	return showCancellation(j), nil
}

func (d *bulkDesk) listCancellations(context.Context, *fasthttp.RequestCtx, params) (any, error) {
	out := []cancellationJSON{}
	for _, j := range d.cancellations.list() {
		out = append(out, showCancellation(j))
	}
	return out, nil
}

// forgetCancellation takes one that has ended off the list. One that runs cannot be taken
// back: the engine is at it.
func (d *bulkDesk) forgetCancellation(_ context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	j, err := d.cancellations.find(p)
	if err != nil {
		return nil, err
	}
	if !j.over() {
		return nil, &restError{fasthttp.StatusConflict, "the cancellation is still running and cannot be taken back"}
	}
	d.cancellations.remove(j)
	return nil, nil
}
