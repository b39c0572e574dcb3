package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/engine/event"
)

// graphqlClient sends GraphQL to a server with the options.
func graphqlClient(t *testing.T, o Options) func(req *http.Request) (*http.Response, string) {
	t.Helper()
	o.Catalog, o.Log = testCatalog(t), &memLog{}
	client := serve(t, NewServer(o))
	return func(req *http.Request) (*http.Response, string) {
		t.Helper()
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
}

func graphqlRequest(query string, headers ...string) *http.Request {
	req, err := http.NewRequest(http.MethodPost, "http://x/v0/gql", strings.NewReader(`{"query":"`+query+`"}`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// TestGraphQLNeedsTheKey: with a signing key nobody reads or changes anything without it.
func TestGraphQLNeedsTheKey(t *testing.T) {
	t.Parallel()
	send := graphqlClient(t, Options{Mode: ModeStart, SigningKey: "signkey-prod-aa11"})
	const ok = `{"data":{"apps":[]}}`
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"none": {"", 401}, "wrong": {"Bearer bb22", 401}, "bearer": {"Bearer aa11", 200},
		"password": {"Basic OmFhMTE=", 200}, "wrong password": {"Basic OmFhMTI=", 401},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			req := graphqlRequest("{apps{id}}", "Authorization", c.header)
			if method == http.MethodGet {
				req.Method, req.Body, req.ContentLength = method, nil, 0
				req.URL.RawQuery = url.Values{"query": {"{apps{id}}"}}.Encode()
			}
			res, body := send(req)
			if res.StatusCode != c.status || c.status == 200 && body != ok {
				t.Errorf("%s, %s: %d %s", name, method, res.StatusCode, body)
			}
		}
	}
}

// TestGraphQLHTTP: status, type and further headers of answers.
func TestGraphQLHTTP(t *testing.T) {
	t.Parallel()
	send := graphqlClient(t, Options{})
	plain := graphqlRequest("{apps{id}}", "Content-Type", "text/plain")
	wrong := graphqlRequest("")
	wrong.Method = http.MethodPut
	get := func(values url.Values) *http.Request {
		req := graphqlRequest("")
		req.Method, req.Body, req.ContentLength, req.URL.RawQuery = http.MethodGet, nil, 0, values.Encode()
		return req
	}
	text := graphqlRequest("", "Content-Type", "application/graphql")
	text.Body, text.ContentLength = io.NopCloser(strings.NewReader("query A{__typename} query B{t:__typename}")), -1
	text.URL.RawQuery = "operationName=B"
	for name, c := range map[string]struct {
		req                     *http.Request
		status                  int
		kind, header, value, is string
	}{
		"ok":   {graphqlRequest("{__typename}"), 200, "application/json", "", "", `{"data":{"__typename":"Query"}}`},
		"text": {text, 200, "application/json", "", "", `{"data":{"t":"Query"}}`},
		"GET": {
			get(url.Values{"query": {"query A{__typename} query B($n:UUID!){app(id:$n){id}}"}, "operationName": {"B"}, "variables": {`{"n":"x"}`}}),
			200, "application/json", "", "", "is not a UUID",
		},
		"long GET":     {get(url.Values{"query": {"{__typename}#" + strings.Repeat("a", 8<<10)}}), 200, "application/json", "", "", "Query"},
		"too long GET": {get(url.Values{"query": {strings.Repeat("#", maxHead)}}), 431, "application/json", "", "", "the limit is 16384 bytes"},
		"persisted": {
			get(url.Values{"extensions": {`{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("0", 64) + `"}}`}}),
			200, "application/json", "", "", "PersistedQueryNotFound",
		},
		"type":    {plain, 400, "text/plain; charset=utf-8", "", "", `{"errors":[{"message":"transport not supported"}],"data":null}`},
		"invalid": {graphqlRequest("{nope}"), 422, "application/json", "", "", "Cannot query field"},
		"away":    {graphqlRequest("{events(query:{}){id}}"), 503, "application/json", "Retry-After", "1", "this server keeps no history"},
		"method":  {wrong, 405, "", "Allow", "POST, GET", ""},
	} {
		res, body := send(c.req)
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.kind || res.Header.Get(c.header) != c.value || !strings.Contains(body, c.is) {
			t.Errorf("%s: %d %v %s", name, res.StatusCode, res.Header, body)
		}
	}
}

// TestGraphQLInvocation: an invocation is admitted like any event.
func TestGraphQLInvocation(t *testing.T) {
	t.Parallel()
	log := &memLog{}
	full := true
	send := graphqlClient(t, Options{
		Engine: &logEngine{log: log},
		Admit: func(*event.Event) error {
			if full {
				return &engine.BacklogError{}
			}
			return nil
		},
	})
	const query = `mutation{invokeFunction(functionSlug:\"f\",data:{a:1})}`
	if res, body := send(graphqlRequest(query)); res.StatusCode != 503 || len(log.events(t)) != 0 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	full = false
	if res, body := send(graphqlRequest(query)); res.StatusCode != 200 || body != `{"data":{"invokeFunction":true}}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	events := log.events(t)
	if len(events) != 1 || !strings.Contains(string(events[0].Data), `"fn_id":"f"`) {
		t.Errorf("%d events", len(events))
	}
}

// pinged is an app that answers pings with a status.
type pinged struct {
	AppClient
	status int
	urls   []string
}

func (p *pinged) Ping(_ context.Context, url string) (int, []byte, error) {
	p.urls = append(p.urls, url)
	if p.status == 0 {
		return 0, nil, errors.New("refused")
	}
	return p.status, nil, nil
}

// TestGraphQLSync: what comes of asking an app is answered, and stored with its URL.
func TestGraphQLSync(t *testing.T) {
	t.Parallel()
	for status, problem := range map[int]string{0: "unreachable", 404: "url_not_found", 401: "unauthorized"} {
		app := &pinged{status: status}
		send := graphqlClient(t, Options{Apps: app})
		if _, body := send(graphqlRequest(`mutation{createApp(input:{url:\"a.test/x\"}){id}}`)); body != `{"errors":[{"message":"`+problem+`","path":["createApp"]}],"data":null}` {
			t.Error(body)
		}
		if _, body := send(graphqlRequest(`{apps{url error}}`)); body != `{"data":{"apps":[{"url":"http://a.test/x","error":"`+problem+`"}]}}` {
			t.Error(body)
		}
		if len(app.urls) != 1 || app.urls[0] != "http://a.test/x" {
			t.Errorf("asked %v", app.urls)
		}
	}
}
