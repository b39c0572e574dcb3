package gql

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"ingot/engine"
	"ingot/engine/function"

	"github.com/graph-gophers/graphql-go"
)

// appNode is the type App.
type appNode struct {
	req *request
	app *engine.App
}

// Apps lists the active apps in the order of their ids.
func (*query) Apps(ctx context.Context, args struct{ Filter *struct{ Method *string } }) ([]*appNode, error) {
	r := of(ctx)
	out := []*appNode{}
	for _, a := range r.catalog().Apps {
		if !a.Active() || args.Filter != nil && args.Filter.Method != nil && !strings.EqualFold(*args.Filter.Method, a.Method) {
			continue
		}
		out = append(out, &appNode{r, a})
	}
	slices.SortFunc(out, func(a, b *appNode) int { return bytes.Compare(a.app.ID[:], b.app.ID[:]) })
	return out, r.charge(len(out))
}

// App finds an app, also an archived one.
func (*query) App(ctx context.Context, args struct{ ID text }) (*appNode, error) {
	id, err := parseUUID("id", args.ID)
	if err != nil {
		return nil, err
	}
	r := of(ctx)
	a := r.catalog().Apps[id]
	if a == nil {
		return nil, errNoRows
	}
	return &appNode{r, a}, nil
}

// appOf is the app of a function; an empty one with its id if there is none any more.
func appOf(r *request, f *function.Function) *appNode {
	a := r.catalog().Apps[f.AppID]
	if a == nil {
		a = &engine.App{ID: f.AppID, Name: f.AppName, Method: engine.MethodServe}
	}
	return &appNode{r, a}
}

func (a *appNode) ID() graphql.ID       { return graphql.ID(a.app.ID.String()) }
func (a *appNode) ExternalID() string   { return a.app.Name }
func (a *appNode) Name() string         { return a.app.Name }
func (a *appNode) SDKLanguage() string  { return a.app.SDKLanguage }
func (a *appNode) SDKVersion() string   { return a.app.SDKVersion }
func (a *appNode) Framework() *string   { return optionalText(a.app.Framework) }
func (a *appNode) URL() *string         { return optionalText(a.app.URL) }
func (a *appNode) Checksum() *string    { return optionalText(a.app.Checksum) }
func (a *appNode) Error() *string       { return optionalText(a.app.Error) }
func (a *appNode) Method() string       { return strings.ToUpper(a.app.Method) }
func (a *appNode) AppVersion() *string  { return &a.app.AppVersion }
func (a *appNode) Connected() bool      { return a.app.Error == "" }
func (a *appNode) Autodiscovered() bool { return a.app.Discovered }
func (a *appNode) FunctionCount() int32 {
	return int32(len(a.req.catalog().Functions(a.app.ID)))
}

// Functions are the active ones, by slug.
func (a *appNode) Functions() ([]*functionNode, error) {
	fns := a.req.catalog().Functions(a.app.ID)
	return functionNodes(a.req, fns), a.req.charge(len(fns))
}

// readiness is the type SDKFeatureReadiness. What SDKs report of their features is not kept.
type readiness struct{ AIMetadataExtraction, ExtendedTraces *featureStatus }

type featureStatus struct {
	Ready  bool
	Reason *int32
}

func (*appNode) SDKFeatureReadiness() readiness { return readiness{} }
