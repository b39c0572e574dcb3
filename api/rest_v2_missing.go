package api

import (
	"context"
	"strings"

	"github.com/valyala/fasthttp"
)

// v2MissingMethods adds the methods that the open-source reference does not implement
// either, with its answers (spec 02 §8.3).
func v2MissingMethods(add func(method, path string, call v2Call)) {
	const get, post = fasthttp.MethodGet, fasthttp.MethodPost
	add(get, "/partner/accounts", v2NotInOSS("Accounts"))
	add(post, "/partner/accounts", v2NotInOSS("Accounts", "Partners"))
	add(post, "/envs", v2NotInOSS("Environments"))
	add(fasthttp.MethodPatch, "/envs/{id}", v2NotInOSS("Environments"))
	add(post, "/env/webhooks", v2NeedsEnv(v2NotInOSS("Webhooks")))
	add(get, "/env/webhooks", v2NeedsEnv(v2NotInOSS("Webhooks")))
	add(post, "/apps/{app_id}/syncs", v2NotInOSS("App sync"))
	for _, path := range []string{"/insights/tables", "/insights/events/schemas"} {
		add(get, path, v2NotInOSS("Insights"))
	}
	for _, path := range []string{"/insights/query", "/insights/query/prompt"} {
		add(post, path, v2NotInOSS("Insights"))
	}
	const experiments = "/apps/{app_id}/functions/{function_id}/experiments"
	for _, path := range []string{"/experiments", experiments, experiments + "/{experiment_id...}"} {
		add(get, path, v2NotInOSS("Experiments"))
	}
	for _, path := range []string{"/sessions", "/sessions/{session_key}"} {
		add(get, path, v2NotInOSS("Sessions"))
	}
	// The id of a session may have slashes, so that the end of the path is looked at here.
	add(get, "/sessions/{session_key}/{session_id...}", func(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
		if !strings.HasSuffix(p.raw("session_id"), "/runs") {
			return v2Answer{}, v2Fault(fasthttp.StatusNotFound, v2APIError, "Not Found")
		}
		return v2NotInOSS("Sessions")(ctx, req, p)
	})
	for _, m := range v2Sandboxes {
		add(m.method, "/sandboxes"+m.path, v2NoMethod(m.name))
	}
	add(get, "/_internal/schema-only", v2NoMethod("XSchemaOnly"))
}

// v2Sandboxes are the methods about sandboxes.
var v2Sandboxes = []struct{ method, path, name string }{
	{fasthttp.MethodPost, "", "CreateSandbox"},
	{fasthttp.MethodGet, "", "ListSandboxes"},
	{fasthttp.MethodGet, "/{id}", "GetSandbox"},
	{fasthttp.MethodDelete, "/{id}", "DestroySandbox"},
	{fasthttp.MethodPost, "/{id}/exec", "ExecSandbox"},
	{fasthttp.MethodGet, "/{id}/logs", "StreamSandboxLogs"},
	{fasthttp.MethodPut, "/{id}/files", "WriteSandboxFile"},
	{fasthttp.MethodPost, "/{id}/processes", "StartSandboxProcess"},
	{fasthttp.MethodGet, "/{id}/processes", "ListSandboxProcesses"},
	{fasthttp.MethodGet, "/{id}/processes/{pid}", "GetSandboxProcess"},
	{fasthttp.MethodPost, "/{id}/processes/{pid}/signals", "SignalSandboxProcess"},
	{fasthttp.MethodPost, "/{id}/processes/{pid}/wait", "WaitSandboxProcess"},
	{fasthttp.MethodGet, "/{id}/processes/{pid}/output", "GetSandboxProcessOutput"},
	{fasthttp.MethodGet, "/{id}/processes/{pid}/output/stream", "StreamSandboxProcessOutput"},
}

// v2NotInOSS refuses with an error for each thing that is not there.
func v2NotInOSS(things ...string) v2Call {
	refusal := &v2Error{status: fasthttp.StatusNotImplemented}
	for _, thing := range things {
		refusal.Errors = append(refusal.Errors, v2ErrorItem{"not_implemented", thing + " not implemented in OSS"})
	}
	return func(context.Context, *fasthttp.RequestCtx, params) (v2Answer, error) { return v2Answer{}, refusal }
}

func v2NoMethod(name string) v2Call {
	return func(context.Context, *fasthttp.RequestCtx, params) (v2Answer, error) {
		return v2Answer{}, v2Fault(fasthttp.StatusNotImplemented, v2APIError, "method "+name+" not implemented")
	}
}

// v2NeedsEnv asks for the header that names an environment first.
func v2NeedsEnv(next v2Call) v2Call {
	return func(ctx context.Context, req *fasthttp.RequestCtx, p params) (v2Answer, error) {
		if len(req.Request.Header.Peek(headerEnv)) == 0 {
			return v2Answer{}, v2Missing(headerEnv + " header is required")
		}
		return next(ctx, req, p)
	}
}
