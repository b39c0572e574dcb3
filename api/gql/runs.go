package gql

import (
	"context"

	"ingot/internal/ids"
	"ingot/storage/history"
)

// Page sizes of runs (spec 02 §9.5).
const (
	defaultRuns = 40
	maxRuns     = 399
)

// runsArgs are the arguments of runs.
type runsArgs struct {
	First   int32
	After   *string
	OrderBy []runsOrder
	Filter  runsFilter
	Preview *bool
}

type runsOrder struct{ Field, Direction string }

type runsFilter struct {
	From        text
	Until       *text
	TimeField   string
	Status      *[]string
	FunctionIDs *[]text
	AppIDs      *[]text
	IsDeferred  *bool
	Query       *string
}

// runsNode is the type RunsV2Connection.
type runsNode struct {
	list     *runList
	edges    []*runEdge
	PageInfo pageNode
}

// runEdge is the type FunctionRunV2Edge.
type runEdge struct {
	Node   *runNode
	Cursor string
}

// Runs lists runs.
func (*query) Runs(ctx context.Context, args runsArgs) (*runsNode, error) {
	r := of(ctx)
	list, err := r.runList(&args)
	if err != nil {
		return nil, err
	}
	size := pageSize(args.First, maxRuns, defaultRuns)
	if err := r.charge(size); err != nil {
		return nil, err
	}
	if args.After != nil {
		if list.after, err = parseRunCursor(*args.After, list.query.Field == history.ByEnded); err != nil {
			return nil, err
		}
	}
	page, err := list.page(ctx, size)
	if err != nil {
		return nil, err
	}
	out := &runsNode{list: list, edges: []*runEdge{}}
	set := newRunSet(r, page.runs, false)
	for _, run := range set.runs {
		node := set.node(run)
		node.listed = list.listed
		out.edges = append(out.edges, &runEdge{node, list.place.cursor(list.position(run))})
	}
	out.PageInfo.HasNextPage = page.stopped != nil || len(page.runs) == size
	if n := len(out.edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.edges[0].Cursor, &out.edges[n-1].Cursor
	}
	if page.stopped != nil {
		out.PageInfo.EndCursor = new(list.place.cursor(*page.stopped))
	}
	return out, nil
}

func (n *runsNode) Edges() []*runEdge { return n.edges }

// TotalCount does not depend on the cursor.
func (n *runsNode) TotalCount(ctx context.Context, _ struct{ Preview *bool }) (int32, error) {
	total, err := n.list.total(ctx)
	return count(int64(total)), err
}

// runList returns what the arguments of a list ask for.
func (r *request) runList(args *runsArgs) (*runList, error) {
	f := &args.Filter
	l := &runList{req: r, listed: f.TimeField != "ENDED_AT" || f.Query != nil}
	if args.Preview != nil && !*args.Preview {
		l.listed = false
	}
	l.query.Deferred = f.IsDeferred
	if err := l.order(args.OrderBy); err != nil {
		return nil, err
	}
	from, err := parseTime("filter.from", &f.From)
	if err != nil {
		return nil, err
	}
	until, err := parseTime("filter.until", f.Until)
	if err != nil {
		return nil, err
	}
	l.within(f.TimeField, from, until)
	if f.Status != nil {
		l.statuses(*f.Status)
	}
	if err := l.functions(f.FunctionIDs, f.AppIDs); err != nil {
		return nil, err
	}
	if f.Query != nil {
		if err := l.searchFor(*f.Query); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// order sets by what the list is ordered: by its first order, or by the runs' ids.
func (l *runList) order(by []runsOrder) error {
	if len(by) == 0 {
		return nil
	}
	places := spanPlaces
	if !l.listed {
		places = tracePlaces
	}
	l.place = places[by[0].Field]
	l.query.Ascending = by[0].Direction == "ASC"
	if by[0].Field == "ENDED_AT" {
		l.query.Field = history.ByEnded
	}
	return nil
}

// within sets the window of time. If it is about another time than the order is, each run is looked at.
func (l *runList) within(timeField string, from, until int64) {
	byEnd := timeField == "ENDED_AT"
	switch {
	case byEnd == (l.query.Field == history.ByEnded):
		l.query.From, l.query.Until = from, until
	case byEnd: // no run ends before it is made
		l.query.Until = until
		l.window = func(run *history.Run) bool {
			return run.EndedAt != 0 && run.EndedAt >= from && (until == 0 || run.EndedAt <= until)
		}
	default:
		l.query.From = from
		l.window = func(run *history.Run) bool {
			return run.QueuedAt >= from && (until == 0 || run.QueuedAt <= until)
		}
	}
}

// statuses restricts the list to states. Skipped runs leave no trace; like the reference,
// a list of them is one of all runs.
func (l *runList) statuses(names []string) {
	for _, name := range names {
		for status, n := range statuses {
			if n == name && status != history.Skipped {
				l.query.Statuses = append(l.query.Statuses, status)
			}
		}
	}
}

// functions restricts the list to functions and to functions of apps.
func (l *runList) functions(fnIDs, appIDs *[]text) error {
	var fns, apps map[ids.UUID]bool
	var err error
	if fns, err = uuidSet("filter.functionIDs", fnIDs); err != nil {
		return err
	}
	if apps, err = uuidSet("filter.appIDs", appIDs); err != nil {
		return err
	}
	switch {
	case apps != nil:
		l.query.Functions = []ids.UUID{}
		for id, f := range l.req.catalog().ByID {
			if apps[f.AppID] && (fns == nil || fns[id]) {
				l.query.Functions = append(l.query.Functions, id)
			}
		}
	case fns != nil:
		for id := range fns {
			l.query.Functions = append(l.query.Functions, id)
		}
	}
	return nil
}

// uuidSet is nil if there are no ids.
func uuidSet(field string, texts *[]text) (map[ids.UUID]bool, error) {
	if texts == nil || len(*texts) == 0 {
		return nil, nil
	}
	out := map[ids.UUID]bool{}
	for _, t := range *texts {
		id, err := parseUUID(field, t)
		if err != nil {
			return nil, err
		}
		out[id] = true
	}
	return out, nil
}
