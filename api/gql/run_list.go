package gql

import (
	"context"
	"fmt"

	"ingot/api/gql/search"
	"ingot/engine"
	"ingot/internal/rerun"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Bounds of a search within one request.
const (
	// maxSearched bounds the runs that are looked at, maxOutputsSearched if their outputs are.
	maxSearched        = 10_000
	maxOutputsSearched = 2_000
	// searchPage is how many are read at once, outputsPage with their outputs.
	searchPage  = 200
	outputsPage = 50
)

// runList is a list of runs: what the read model selects, and what is looked at here.
type runList struct {
	req   *request
	query history.RunQuery
	after *history.RunPosition
	place runPlace
	// listed is runNode.listed of its nodes.
	listed bool
	// window and search leave out runs; nil keeps all.
	window func(*history.Run) bool
	search *search.Query
	looked int
}

// runPage is a part of a list.
type runPage struct {
	runs []history.Run
	// stopped is the last run that was looked at if the search was stopped by its bound.
	stopped *history.RunPosition
}

// searchReport tells of a search that was stopped, in the answer's extensions.
type searchReport struct {
	Complete     bool `json:"complete"`
	SearchedRuns int  `json:"searchedRuns"`
	Limit        int  `json:"limit"`
}

// searchFor restricts the list to runs that a search finds.
func (l *runList) searchFor(text string) error {
	q, err := search.Parse(text)
	if err != nil {
		return refuse("error retrieving runs: " + err.Error())
	}
	if q.Events() || q.Outputs() {
		l.search = q
	}
	return nil
}

// position is the place of a run in the list.
func (l *runList) position(run *history.Run) history.RunPosition {
	if l.query.Field == history.ByEnded {
		return history.RunPosition{ID: run.ID, At: run.EndedAt}
	}
	return history.RunPosition{ID: run.ID, At: run.QueuedAt}
}

// filtered reports whether runs are looked at one by one.
func (l *runList) filtered() bool { return l.window != nil || l.search != nil }

// page returns up to size runs behind after. With a search it ends earlier when enough runs
// were looked at; the next page goes on from there.
func (l *runList) page(ctx context.Context, size int) (runPage, error) {
	h, err := l.req.read(ctx)
	if err != nil {
		return runPage{}, err
	}
	q := l.query
	q.After = l.after
	if !l.filtered() {
		q.Limit = size
		runs, err := h.Runs(ctx, &q)
		return runPage{runs: runs}, err
	}
	var out runPage
	stopped, err := l.each(ctx, h, q, func(run *history.Run) bool {
		out.runs = append(out.runs, *run)
		return len(out.runs) < size
	})
	if stopped != nil {
		out.stopped = stopped
		l.req.report(l.looked, l.bound())
	}
	return out, err
}

// total counts the whole list.
func (l *runList) total(ctx context.Context) (int, error) {
	h, err := l.req.read(ctx)
	if err != nil {
		return 0, err
	}
	if !l.filtered() {
		return h.CountRuns(ctx, &l.query) //nolint:wrapcheck // logged with its path
	}
	counting, n := &runList{req: l.req, query: l.query, window: l.window, search: l.search}, 0
	stopped, err := counting.each(ctx, h, counting.query, func(*history.Run) bool { n++; return true })
	if stopped != nil {
		return 0, refuse(fmt.Sprintf("error retrieving runs: more than %d runs would have to be searched for totalCount: "+
			"narrow filter.from and filter.until, or ask for edges only", l.bound()))
	}
	return n, err
}

func (l *runList) bound() int {
	if l.search != nil && l.search.Outputs() {
		return maxOutputsSearched
	}
	return maxSearched
}

// each visits the runs of the list that are not left out, until visit returns false. It
// returns the last run that was looked at if there may be more, but enough were looked at.
func (l *runList) each(ctx context.Context, h history.Reader, q history.RunQuery, visit func(*history.Run) bool) (*history.RunPosition, error) {
	q.Limit = searchPage
	if l.search != nil && l.search.Outputs() {
		q.Limit = outputsPage
	}
	for {
		runs, err := h.Runs(ctx, &q)
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		keep, err := l.keep(ctx, h, runs)
		if err != nil {
			return nil, err
		}
		l.looked += len(runs)
		for i := range runs {
			if keep(&runs[i]) && !visit(&runs[i]) {
				return nil, nil
			}
		}
		if len(runs) < q.Limit {
			return nil, nil
		}
		q.After = new(l.position(&runs[len(runs)-1]))
		if l.looked >= l.bound() {
			return q.After, nil
		}
	}
}

// keep reads what is needed to look at runs, and returns how to.
func (l *runList) keep(ctx context.Context, h history.Reader, runs []history.Run) (func(*history.Run) bool, error) {
	events, outputs := map[ulid.ULID][]byte{}, map[ulid.ULID][]search.Output{}
	if l.search != nil && l.search.Events() {
		var ids []ulid.ULID
		for i := range runs {
			ids = append(ids, runs[i].Events...)
		}
		found, err := h.EventsByID(ctx, distinct(ids))
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		for i := range found {
			events[found[i].ID] = rerun.CanonicalEvent(&found[i])
		}
	}
	if l.search != nil && l.search.Outputs() {
		ids := make([]ulid.ULID, len(runs))
		for i := range runs {
			ids[i] = runs[i].ID
		}
		traces, err := h.Traces(ctx, ids)
		if err != nil {
			return nil, err //nolint:wrapcheck // logged with its path
		}
		for i := range traces {
			outputs[traces[i].Run.ID] = outputsOf(&traces[i])
		}
	}
	return func(run *history.Run) bool {
		if l.window != nil && !l.window(run) {
			return false
		}
		if l.search == nil {
			return true
		}
		doc := search.Run{Outputs: outputs[run.ID]}
		for _, id := range run.Events {
			if e := events[id]; e != nil {
				doc.Events = append(doc.Events, e)
			}
		}
		return l.search.Match(&doc, l.req.now)
	}, nil
}

// outputsOf are what a run and its steps returned or threw.
func outputsOf(t *history.Trace) (out []search.Output) {
	for i := range t.Records {
		l := &t.Records[i]
		if len(l.Payload) == 0 {
			continue
		}
		switch l.Kind {
		case engine.RunCompleted:
			out = append(out, search.Output{Data: l.Payload})
		case engine.RunFailed, engine.StepErrored:
			out = append(out, search.Output{Error: l.Payload})
		case engine.StepCompleted, engine.StepFailed:
			out = append(out, search.OfMemo(l.Payload))
		}
	}
	return out
}

// report says that a search was stopped.
func (r *request) report(searched, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.search = &searchReport{SearchedRuns: searched, Limit: limit}
}
