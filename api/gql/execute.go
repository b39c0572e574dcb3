package gql

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"
)

// maxComplaints bounds the errors of an answer: one cause may be told for each node.
const maxComplaints = 100

// execute runs an operation.
func (s *Server) execute(ctx context.Context, p *params, readOnly bool) Answer {
	if a, ok := s.persisted(p); !ok {
		return a
	}
	switch {
	case p.Query == "":
		return fail(http.StatusUnprocessableEntity, codeValidation, "no operation provided")
	case len(p.Query) > maxQuery:
		return fail(http.StatusUnprocessableEntity, codeValidation,
			fmt.Sprintf("the query has %d bytes; the limit is %d", len(p.Query), maxQuery))
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	r, out := s.run(ctx, p, readOnly)
	if onlyVariables(out.Errors) {
		again := *p
		if text, ok := relax(p.Query, p.OperationName); ok {
			again.Query = text
			r, out = s.run(ctx, &again, readOnly)
		}
	}
	if r.stage.valid.Load() {
		s.persist(p)
	}
	return s.answer(r, p, out)
}

// run is one try of an operation.
func (s *Server) run(ctx context.Context, p *params, readOnly bool) (*request, *graphql.Response) {
	r := &request{s: s, readOnly: readOnly, now: time.Now()}
	r.refresh()
	return r, s.exec(context.WithValue(ctx, requestKey{}, r), p)
}

// onlyVariables reports whether nothing but variables is wrong.
func onlyVariables(errs []*gqlerrors.QueryError) bool {
	for _, e := range errs {
		if e.Rule != ruleVariables && e.Rule != ruleDefaults {
			return false
		}
	}
	return len(errs) > 0
}

// exec hands a request to the library. Of some texts that are not GraphQL its lexer panics.
func (s *Server) exec(ctx context.Context, p *params) (out *graphql.Response) {
	defer func() {
		if v := recover(); v != nil {
			if of(ctx).stage.parsed.Load() {
				panic(v)
			}
			out = &graphql.Response{Errors: []*gqlerrors.QueryError{gqlerrors.Errorf("syntax error: %v", v)}}
		}
	}()
	return s.schema.Exec(ctx, p.Query, p.OperationName, p.Variables)
}

// answer turns the library's response into the reference's.
func (s *Server) answer(r *request, p *params, res *graphql.Response) Answer {
	switch {
	case !r.stage.parsed.Load():
		return failures(http.StatusUnprocessableEntity, complaints(res.Errors, syntaxComplaint))
	case !r.stage.valid.Load():
		return failures(http.StatusUnprocessableEntity, complaints(res.Errors, func(e *gqlerrors.QueryError) complaint {
			return invalidComplaint(e, p.Variables)
		}))
	case !r.stage.executed.Load():
		return failures(http.StatusUnprocessableEntity, complaints(res.Errors, func(e *gqlerrors.QueryError) complaint {
			return operationComplaint(e, p.OperationName)
		}))
	case r.stage.written.Load():
		return fail(http.StatusNotAcceptable, "", "GET requests only allow query operations")
	case r.exceeded():
		return fail(http.StatusUnprocessableEntity, codeComplexity, errTooLarge.Error())
	case r.stage.fields.Load() > maxFields:
		return fail(http.StatusUnprocessableEntity, codeComplexity,
			fmt.Sprintf("the answer has more than %d fields: ask for smaller pages (first), or for fewer fields", maxFields))
	}
	return s.executed(r, p, res)
}

// executed is the answer of resolvers.
func (s *Server) executed(r *request, p *params, res *graphql.Response) Answer {
	if wrong := unplaced(res.Errors); wrong != nil {
		return failures(http.StatusUnprocessableEntity, complaints(wrong, argumentComplaint))
	}
	a := Answer{Status: http.StatusOK}
	said := map[int]bool{}
	all := complaints(res.Errors, func(e *gqlerrors.QueryError) complaint {
		c, status, hidden := resolverComplaint(e)
		if a.Status = max(a.Status, status); hidden != nil && !said[status] {
			said[status] = true // once: the nodes of a list often have one cause in common
			s.log.Error("a GraphQL request failed", "operation", p.OperationName, "path", fmt.Sprint(e.Path...), "status", status, "error", hidden)
		}
		return c
	})
	a.Body = encode(all, res.Data, r.extensions())
	return a
}

// unplaced are the errors that have no place in the answer: they are about arguments, which
// the library reads before it calls resolvers. It then leaves fields out. The end of the
// request's time has no place either, and panics of the library do not.
func unplaced(errs []*gqlerrors.QueryError) (out []*gqlerrors.QueryError) {
	for _, e := range errs {
		if _, passing := away(e.Err); e.Path == nil && !passing && e.Message != textInternal {
			out = append(out, e)
		}
	}
	return out
}

func complaints(errs []*gqlerrors.QueryError, make func(*gqlerrors.QueryError) complaint) []complaint {
	var out []complaint
	for _, e := range errs[:min(len(errs), maxComplaints)] {
		out = append(out, make(e))
	}
	return out
}

// extensions is what an answer says about itself.
func (r *request) extensions() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.search == nil {
		return nil
	}
	return map[string]any{"search": r.search}
}
