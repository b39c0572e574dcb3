package gql

import (
	"context"
	"slices"
	"strings"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/internal/ids"
)

// functionNode is the type Function.
type functionNode struct {
	req *request
	fn  *function.Function
}

func functionNodes(r *request, fns []*function.Function) []*functionNode {
	out := make([]*functionNode, len(fns))
	for i, f := range fns {
		out[i] = &functionNode{r, f}
	}
	return out
}

// Functions lists all active functions, app by app.
func (*query) Functions(ctx context.Context) (*[]*functionNode, error) {
	r := of(ctx)
	fns := slices.Clone(r.catalog().Active)
	slices.SortStableFunc(fns, func(a, b *function.Function) int { return strings.Compare(a.AppName, b.AppName) })
	return new(functionNodes(r, fns)), r.charge(len(fns))
}

// FunctionBySlug finds an active function.
func (*query) FunctionBySlug(ctx context.Context, args struct {
	Query struct{ WorkspaceID, FunctionSlug string }
}) (*functionNode, error) {
	r := of(ctx)
	f := r.catalog().BySlug[args.Query.FunctionSlug]
	if f == nil {
		return nil, errNoRows
	}
	return &functionNode{r, f}, nil
}

// functionOf is the function with an id, also an archived one; an empty one with that id
// if it is not registered here.
func functionOf(r *request, id ids.UUID) *functionNode {
	f := r.catalog().ByID[id]
	if f == nil {
		f = &function.Function{ID: id, Config: []byte("{}")}
	}
	return &functionNode{r, f}
}

func (f *functionNode) ID() string     { return f.fn.ID.String() }
func (f *functionNode) Name() string   { return f.fn.Name }
func (f *functionNode) Slug() string   { return f.fn.Slug }
func (f *functionNode) Config() string { return string(f.fn.Config) }
func (f *functionNode) URL() string    { return f.fn.URL }
func (f *functionNode) AppID() string  { return f.fn.AppID.String() }
func (f *functionNode) App() *appNode  { return appOf(f.req, f.fn) }

// FailureHandler is the function that SDKs register to be told of failures.
func (f *functionNode) FailureHandler() *functionNode {
	if h := f.req.catalog().BySlug[f.fn.Slug+"-failure"]; h != nil {
		return &functionNode{f.req, h}
	}
	return nil
}

// Concurrency is the limit without a key within the function; 0 is none.
func (f *functionNode) Concurrency() int32 {
	for _, c := range f.fn.Concurrency {
		if c.Scope == function.ScopeFunction && c.Key == nil {
			return count(int64(c.Limit))
		}
	}
	return 0
}

// triggerNode is the type FunctionTrigger.
type triggerNode struct {
	Type, Value string
	Condition   *string
}

// Triggers are what starts the function. One that is both is shown as an event, as in the
// reference.
func (f *functionNode) Triggers() *[]*triggerNode {
	out := make([]*triggerNode, 0, len(f.fn.Triggers))
	for _, t := range f.fn.Triggers {
		n := &triggerNode{Type: "EVENT", Value: t.Event}
		if t.Event == "" {
			n.Type, n.Value = "CRON", t.Cron
		}
		if t.If != nil {
			n.Condition = new(t.If.Source())
		}
		out = append(out, n)
	}
	return &out
}

// Mode is what an operator has set.
func (f *functionNode) Mode(ctx context.Context) (string, error) {
	m, err := f.mode(ctx)
	return strings.ToUpper(m.String()), err
}

func (f *functionNode) IsPaused(ctx context.Context) (bool, error) {
	m, err := f.mode(ctx)
	return m == engine.ModePaused, err
}

func (f *functionNode) mode(ctx context.Context) (engine.FunctionMode, error) {
	o := f.req.s.opts.Operator
	if o == nil {
		return 0, errNoOperator
	}
	return o.Mode(ctx, f.fn.ID) //nolint:wrapcheck // logged with its path
}
