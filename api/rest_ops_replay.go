package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ingot/storage/history"

	"github.com/valyala/fasthttp"
)

// Bounds and defaults of bulk replays.
const (
	defaultReplays  = 10_000
	maxReplays      = 1_000_000
	defaultReplayHz = 100
	maxReplayHz     = 10_000
)

// replayJSON is a bulk replay.
type replayJSON struct {
	bulkHead
	bulkScope
	From      *time.Time `json:"from"`
	Until     time.Time  `json:"until"`
	Statuses  []string   `json:"statuses"`
	Limit     int        `json:"limit"`
	PerSecond int        `json:"per_second"`
	DryRun    bool       `json:"dry_run"`
	// Matched are the runs that were selected so far; of those, Replayed have a new run,
	// Skipped have none because of a singleton, and Failed none because of LastError.
	Matched   int    `json:"matched"`
	Replayed  int    `json:"replayed"`
	Skipped   int    `json:"skipped"`
	Failed    int    `json:"failed"`
	LastError string `json:"last_error,omitempty"`
}

func showReplay(j *bulkJob[replayJSON]) replayJSON {
	head, out := j.show()
	out.bulkHead = head
	return out
}

// replay makes new runs of ended ones of a function, beside the request.
func (d *bulkDesk) replay(ctx context.Context, req *fasthttp.RequestCtx, _ params) (any, error) {
	var in struct {
		bulkScope
		From      string   `json:"from"`
		Until     string   `json:"until"`
		Statuses  []string `json:"statuses"`
		Limit     int      `json:"limit"`
		PerSecond int      `json:"per_second"`
		DryRun    bool     `json:"dry_run"`
	}
	if err := decodeStrict(req, &in, "Invalid replay request"); err != nil {
		return nil, err
	}
	if err := missing([2]string{"app_id", in.AppID}, [2]string{"function_id", in.FunctionID}, [2]string{"from", in.From}); err != nil {
		return nil, err
	}
	view := replayJSON{bulkScope: in.bulkScope, Limit: in.Limit, PerSecond: in.PerSecond, DryRun: in.DryRun}
	if err := view.times(in.From, in.Until); err != nil {
		return nil, err
	}
	if err := view.statuses(in.Statuses); err != nil {
		return nil, err
	}
	if err := view.bounds(); err != nil {
		return nil, err
	}
	f, _, err := in.resolve(d.s.opts.Catalog.Snapshot())
	if err != nil {
		return nil, err
	}
	if _, err = d.s.current(ctx); err != nil {
		return nil, err
	}
	j, err := d.replays.start(view, bulkPlace{Fn: f.ID})
	if err != nil {
		return nil, err
	}
	d.s.log.Info("an operator replays runs", "function", f.Slug, "id", j.id.String(), "dry_run", in.DryRun)
	j.wait(ctx)
	return showReplay(j), nil
}

// times reads the bounds of time. Until is at the latest now, so that the new runs are not
// replayed too.
func (v *replayJSON) times(from, until string) error {
	begin, err := optionalTime("from", from)
	if err != nil {
		return err
	}
	v.From = &begin
	if v.Until, err = optionalTime("until", until); err != nil {
		return err
	}
	if now := time.Now().UTC(); v.Until.IsZero() || v.Until.After(now) {
		v.Until = now
	}
	if !v.Until.After(begin) {
		return badRequestf("until must be after from")
	}
	return nil
}

// statuses reads which ended runs are meant; failed ones if nothing is said.
func (v *replayJSON) statuses(names []string) error {
	if len(names) == 0 {
		names = []string{v2Statuses[history.Failed]}
	}
	for _, name := range names {
		name = strings.ToUpper(name)
		if i := slices.Index(v2StatusNames, name); i < 0 || !history.Status(i+1).Ended() {
			return badRequestf("statuses may have COMPLETED, FAILED and CANCELLED, not " + name)
		}
		v.Statuses = append(v.Statuses, name)
	}
	return nil
}

func (v *replayJSON) bounds() error {
	if v.Limit == 0 {
		v.Limit = defaultReplays
	}
	if v.PerSecond == 0 {
		v.PerSecond = defaultReplayHz
	}
	if v.Limit < 1 || v.Limit > maxReplays {
		return badRequestf(fmt.Sprintf("limit must be from 1 to %d", maxReplays))
	}
	if v.PerSecond < 1 || v.PerSecond > maxReplayHz {
		return badRequestf(fmt.Sprintf("per_second must be from 1 to %d", maxReplayHz))
	}
	return nil
}

func (d *bulkDesk) listReplays(context.Context, *fasthttp.RequestCtx, params) (any, error) {
	out := []replayJSON{}
	for _, j := range d.replays.list() {
		out = append(out, showReplay(j))
	}
	return out, nil
}

func (d *bulkDesk) oneReplay(_ context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	j, err := d.replays.find(p)
	if err != nil {
		return nil, err
	}
	return showReplay(j), nil
}

// endReplay stops a replay that runs, and takes one that has ended off the list. Runs that
// it has made stay.
func (d *bulkDesk) endReplay(ctx context.Context, _ *fasthttp.RequestCtx, p params) (any, error) {
	j, err := d.replays.find(p)
	if err != nil {
		return nil, err
	}
	if j.over() {
		d.replays.remove(j)
		return nil, nil
	}
	j.stop()
	j.wait(ctx)
	return showReplay(j), nil
}
