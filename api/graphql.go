package api

import (
	"context"
	"fmt"
	"sync"

	"ingot/api/gql"
	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// graphqlPath is where GraphQL is answered (spec 02 §9).
const graphqlPath = "/v0/gql"

// graphqlRoutes adds GraphQL.
func (s *Server) graphqlRoutes(r *router) {
	o := gql.Options{
		Catalog: s.opts.Catalog, Engine: s.opts.Engine, History: s.opts.History, Send: s.admitAndSend, Logger: s.log,
		Output: shownOutput,
	}
	if s.opts.Operator != nil {
		o.Operator = s.opts.Operator
	}
	if s.opts.Apps != nil {
		o.SyncApp = s.syncApp
	}
	// Made by the first request: checking resolvers against the schema takes some 25 ms.
	graph := sync.OnceValue(func() *gql.Server {
		g, err := gql.New(o)
		if err != nil {
			panic(fmt.Sprintf("api: %v", err)) // schema and resolvers are in the code
		}
		return g
	})
	r.signed(fasthttp.MethodPost, graphqlPath, func(req *fasthttp.RequestCtx, _ params) {
		answerGraphQL(req, graph().Post(context.Background(), string(req.Request.Header.ContentType()), req.PostBody(), graphqlValues(req)))
	})
	r.signed(fasthttp.MethodGet, graphqlPath, func(req *fasthttp.RequestCtx, _ params) {
		answerGraphQL(req, graph().Get(context.Background(), graphqlValues(req)))
	})
}

// graphqlValues is what a request's URL says of its operation.
func graphqlValues(req *fasthttp.RequestCtx) gql.Values {
	args := req.QueryArgs()
	get := func(name string) string { return string(args.Peek(name)) }
	return gql.Values{Query: get("query"), OperationName: get("operationName"), Variables: get("variables"), Extensions: get("extensions")}
}

func answerGraphQL(req *fasthttp.RequestCtx, a gql.Answer) {
	req.SetStatusCode(a.Status)
	req.SetContentType(contentTypeJSON)
	if a.Plain {
		req.SetContentType(contentTypeText)
	}
	if a.Status == fasthttp.StatusServiceUnavailable {
		req.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
	}
	req.SetBody(a.Body)
}

// admitAndSend accepts an invocation's event unless too much waits.
func (s *Server) admitAndSend(ctx context.Context, e *event.Event) error {
	if s.opts.Admit != nil {
		if err := s.opts.Admit(e); err != nil {
			s.logOverload(err)
			return err
		}
	}
	return s.opts.Engine.Send(ctx, e)
}

// syncApp asks the app at a URL to register, and stores what went wrong with the apps that
// have the URL.
func (s *Server) syncApp(ctx context.Context, url string) (problem string) {
	syncer := NewSyncer(SyncOptions{Catalog: s.opts.Catalog, Client: s.opts.Apps, Logger: s.log})
	problem, _ = syncer.ask(ctx, url)
	if problem == "" {
		return ""
	}
	var apps []ids.UUID
	for id, a := range s.opts.Catalog.Snapshot().Apps {
		if a.Active() && a.URL == url {
			apps = append(apps, id)
		}
	}
	for _, id := range apps {
		if err := s.opts.Catalog.SetAppError(id, problem, now()); err != nil {
			s.log.Error("the state of an app could not be stored", "url", url, "error", err)
		}
	}
	return problem
}
