package api

import (
	"context"
	"slices"
	"strings"

	"ingot/storage/history"

	"github.com/valyala/fasthttp"
)

// Lists of runs (spec 02 §8.6).

func (s *Server) v2Runs(ctx context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
	q := v2Query{req.QueryArgs()}
	apps, functions := q.all("app_id"), q.all("function_id")
	if len(functions) > 0 && len(apps) == 0 {
		return v2Answer{}, v2Invalid("appId is required when filtering by functionId")
	}
	return s.v2ListRuns(ctx, q, apps, functions)
}

func (s *Server) v2FunctionRuns(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	return s.v2ListRuns(ctx, v2Query{req.QueryArgs()}, []string{p.get("app_id")}, []string{p.get("function_id")})
}

// v2ListRuns answers with a page of runs, of some apps and of some of their functions if
// any are named.
func (s *Server) v2ListRuns(ctx context.Context, args v2Query, apps, functions []string) (v2Answer, error) {
	list, err := v2RunListOf(args)
	if err != nil {
		return v2Answer{}, err
	}
	snapshot := s.opts.Catalog.Snapshot()
	page := &v2Page{Limit: list.limit}
	answer := v2Answer{page: page, from: list.from, until: list.until}
	if len(apps) > 0 {
		list.Functions = nil
		for id, f := range snapshot.ByID {
			if slices.Contains(apps, f.AppName) &&
				(len(functions) == 0 || slices.Contains(functions, v2Slug(f)) || slices.Contains(functions, f.Slug)) {
				list.Functions = append(list.Functions, id)
			}
		}
		if list.Functions == nil {
			return answer, nil // nothing has these names
		}
	}
	r, err := s.current(ctx)
	if err != nil {
		return v2Answer{}, err
	}
	list.Limit = list.limit + 1 // one more tells whether there is more
	runs, err := r.Runs(ctx, &list.RunQuery)
	if err != nil {
		return v2Answer{}, err //nolint:wrapcheck // the caller logs it with the path
	}
	if len(runs) > list.limit {
		runs = runs[:list.limit]
		page.HasMore, page.Cursor = true, runCursor(&runs[len(runs)-1], list.Field)
	}
	out := make([]v2RunJSON, len(runs))
	for i := range runs {
		out[i] = v2RunOf(snapshot, &runs[i], list.Outputs)
	}
	answer.data = v2List(out)
	return answer, nil
}

// v2RunList is what the parameters of a list of runs ask for.
type v2RunList struct {
	history.RunQuery
	limit       int
	from, until string
}

func v2RunListOf(q v2Query) (l v2RunList, err error) {
	if l.limit, err = q.limit(v2DefaultPage, 0, v2MaxPage); err != nil {
		return l, err
	}
	if l.From, l.from, err = q.time("from"); err != nil {
		return l, err
	}
	if l.Until, l.until, err = q.time("until"); err != nil {
		return l, err
	}
	if l.From != 0 && l.Until != 0 && l.From >= l.Until {
		return l, v2Invalid("from must be before until")
	}
	for _, name := range q.all("status") {
		i := slices.Index(v2StatusNames, strings.ToUpper(name))
		if i < 0 {
			return l, v2Invalid("Status is invalid")
		}
		l.Statuses = append(l.Statuses, history.Status(i+1))
	}
	if name := q.text("time_field"); name != "" {
		field, ok := v2TimeFields[name]
		if !ok {
			return l, v2Invalid("timeField is invalid")
		}
		l.Field = field
	}
	switch strings.ToUpper(q.text("order")) {
	case "", "DESC":
	case "ASC":
		l.Ascending = true
	default:
		return l, v2Invalid("order is invalid")
	}
	if l.Outputs, _, err = q.boolean("include_output"); err != nil {
		return l, err
	}
	if deferred, given, err := q.boolean("is_deferred"); err != nil {
		return l, err
	} else if given {
		l.Deferred = &deferred
	}
	if text := q.text("cursor"); text != "" {
		if l.After, err = parseRunCursor(text, l.Field); err != nil {
			return l, v2Invalid("Cursor is invalid")
		}
	}
	return l, nil
}

var v2TimeFields = map[string]history.TimeField{
	"queuedAt": history.ByQueued, "startedAt": history.ByStarted, "endedAt": history.ByEnded,
	"QUEUED_AT": history.ByQueued, "STARTED_AT": history.ByStarted, "ENDED_AT": history.ByEnded,
}

// v2StatusNames are the states by which lists are filtered, in the order of
// history.Status from 1.
var v2StatusNames = []string{v2Queued, "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}
