package api

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// Page sizes of lists of apps, functions and runs (spec 02 §14).
const (
	v2DefaultPage = 20
	v2MaxPage     = 100
)

// v2AppMethods adds what is read of the catalog (spec 02 §8.5).
func (s *Server) v2AppMethods(add func(method, path string, call v2Call)) {
	add(fasthttp.MethodGet, "/apps", s.v2Apps)
	add(fasthttp.MethodGet, "/apps/{app_id}", s.v2App)
	add(fasthttp.MethodGet, "/apps/{app_id}/functions", s.v2Functions)
	add(fasthttp.MethodGet, "/apps/{app_id}/functions/{function_id}", s.v2Function)
}

type v2AppJSON struct {
	AppVersion    string     `json:"appVersion,omitempty"`
	ArchivedAt    string     `json:"archivedAt,omitempty"`
	CreatedAt     string     `json:"createdAt"`
	FunctionCount int        `json:"functionCount,omitempty"`
	ID            string     `json:"id"`
	IsArchived    bool       `json:"isArchived,omitempty"`
	LatestSync    v2SyncJSON `json:"latestSync"`
	Method        string     `json:"method,omitempty"`
	Name          string     `json:"name,omitempty"`
}

type v2SyncJSON struct {
	AppVersion  string `json:"appVersion,omitempty"`
	Error       string `json:"error,omitempty"`
	Framework   string `json:"framework,omitempty"`
	SDKLanguage string `json:"sdkLanguage,omitempty"`
	SDKVersion  string `json:"sdkVersion,omitempty"`
	URL         string `json:"url,omitempty"`
}

func v2AppOf(s *engine.Snapshot, a *engine.App) v2AppJSON {
	out := v2AppJSON{
		AppVersion: a.AppVersion, CreatedAt: v2TimeText(a.CreatedAt.Truncate(time.Millisecond)), FunctionCount: len(s.Functions(a.ID)), ID: v2AppID(a),
		Method: strings.ToUpper(a.Method), Name: a.Name,
		LatestSync: v2SyncJSON{
			AppVersion: a.AppVersion, Error: a.Error, Framework: a.Framework, SDKLanguage: a.SDKLanguage,
			SDKVersion: a.SDKVersion, URL: a.URL,
		},
	}
	if !a.Active() {
		out.IsArchived, out.ArchivedAt = true, v2TimeText(a.ArchivedAt.Truncate(time.Millisecond))
	}
	return out
}

// v2AppID is the app's name; apps that have not synced yet have only their UUID.
func v2AppID(a *engine.App) string {
	if a.Name == "" {
		return a.ID.String()
	}
	return a.Name
}

// v2FindApp returns the app with the name or UUID, preferring an active one; nil if there is none.
func v2FindApp(s *engine.Snapshot, id string) *engine.App {
	if u, ok := ids.ParseUUID(id); ok && s.Apps[u] != nil {
		return s.Apps[u]
	}
	var found *engine.App
	for _, a := range s.Apps {
		if a.Name == id && (found == nil || a.Active()) {
			found = a
		}
	}
	return found
}

func (s *Server) v2App(_ context.Context, _ *fasthttp.RequestCtx, p params) (v2Answer, error) {
	snapshot := s.opts.Catalog.Snapshot()
	a := v2FindApp(snapshot, p.get("app_id"))
	if a == nil {
		return v2Answer{}, v2NotFound("App")
	}
	return v2Answer{data: v2AppOf(snapshot, a)}, nil
}

func (s *Server) v2Apps(_ context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
	q := v2Query{req.QueryArgs()}
	archived, _, err := q.boolean("archived")
	if err != nil {
		return v2Answer{}, err
	}
	snapshot := s.opts.Catalog.Snapshot()
	var all []*engine.App
	for _, a := range snapshot.Apps {
		if a.Active() != archived {
			all = append(all, a)
		}
	}
	return v2UUIDPage(q, all, func(a *engine.App) ids.UUID { return a.ID }, func(a *engine.App) (v2AppJSON, error) {
		return v2AppOf(snapshot, a), nil
	})
}

// v2UUIDPage answers with one page of a list that is ordered by UUID, and whose cursor is
// the last one's UUID.
func v2UUIDPage[T, J any](q v2Query, all []T, id func(T) ids.UUID, show func(T) (J, error)) (v2Answer, error) {
	limit, err := q.limit(v2DefaultPage, 1, v2MaxPage)
	if err != nil {
		return v2Answer{}, err
	}
	var after ids.UUID
	if text := q.text("cursor"); text != "" {
		var ok bool
		if after, ok = ids.ParseUUID(text); !ok {
			return v2Answer{}, v2Invalid("Cursor is invalid")
		}
		all = slices.DeleteFunc(all, func(v T) bool { u := id(v); return bytes.Compare(u[:], after[:]) <= 0 })
	}
	slices.SortFunc(all, func(a, b T) int { x, y := id(a), id(b); return bytes.Compare(x[:], y[:]) })
	page := &v2Page{Limit: limit}
	if len(all) > limit {
		all = all[:limit]
		page.HasMore, page.Cursor = true, id(all[limit-1]).String()
	}
	var out []J
	for _, v := range all {
		j, err := show(v)
		if err != nil {
			return v2Answer{}, err
		}
		out = append(out, j)
	}
	return v2Answer{data: v2List(out), page: page}, nil
}

func (s *Server) v2Functions(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
	snapshot := s.opts.Catalog.Snapshot()
	var all []*function.Function
	if a := v2FindApp(snapshot, p.get("app_id")); a != nil {
		all = snapshot.Functions(a.ID)
	}
	return v2UUIDPage(v2Query{req.QueryArgs()}, all, func(f *function.Function) ids.UUID { return f.ID }, func(f *function.Function) (v2FunctionJSON, error) {
		return s.v2FunctionOf(ctx, snapshot, f)
	})
}

// v2FindFunction returns an active function of an app by its full slug, the slug without
// the app's id, or its UUID; nil if there is none.
func v2FindFunction(s *engine.Snapshot, app, id string) *function.Function {
	a := v2FindApp(s, app)
	if a == nil {
		return nil
	}
	for _, f := range s.Functions(a.ID) {
		if f.Slug == id || v2Slug(f) == id || f.ID.String() == id {
			return f
		}
	}
	return nil
}

// v2Slug is a function's slug without its app's id.
func v2Slug(f *function.Function) string { return strings.TrimPrefix(f.Slug, f.AppName+"-") }

func (s *Server) v2Function(ctx context.Context, _ *fasthttp.RequestCtx, p params) (v2Answer, error) {
	snapshot := s.opts.Catalog.Snapshot()
	f := v2FindFunction(snapshot, p.get("app_id"), p.get("function_id"))
	if f == nil {
		return v2Answer{}, v2NotFound("Function")
	}
	out, err := s.v2FunctionOf(ctx, snapshot, f)
	return v2Answer{data: out}, err
}
