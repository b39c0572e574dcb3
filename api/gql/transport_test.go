package gql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ingot/storage/history"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(3)
	post := func(body string) Answer {
		return r.s.Post(t.Context(), "application/json; charset=utf-8", []byte(body), Values{})
	}
	query := func(q string) Answer { return post(string(mustJSON(nil, map[string]any{"query": q}))) }
	const invalid = `"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}],"data":null}`
	for name, c := range map[string]struct {
		answer Answer
		status int
		body   string
	}{
		"type":           {r.s.Post(t.Context(), "text/plain", nil, Values{}), 400, `{"errors":[{"message":"transport not supported"}],"data":null}`},
		"no type":        {r.s.Post(t.Context(), "", nil, Values{}), 400, `{"errors":[{"message":"transport not supported"}],"data":null}`},
		"no body":        {post(""), 400, `{"errors":[{"message":"json request body could not be decoded: EOF body:"}],"data":null}`},
		"half a body":    {post("{"), 400, `{"errors":[{"message":"json request body could not be decoded: unexpected EOF body:{"}],"data":null}`},
		"large body":     {post(strings.Repeat(" ", MaxBody+1)), 413, `the request body has 1048577 bytes; the limit is 1048576`},
		"variables":      {post(`{"query":"{apps{id}}","variables":[]}`), 400, "could not be decoded"},
		"GET variables":  {r.s.Get(t.Context(), Values{Query: "{apps{id}}", Variables: "{"}), 400, "variables could not be decoded"},
		"no query":       {post(`{}`), 422, `{"errors":[{"message":"no operation provided",` + invalid},
		"only comments":  {query("#"), 422, invalid},
		"persisted":      {post(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("a", 64) + `"}}}`), 200, `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}],"data":null}`},
		"APQ version":    {post(`{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"x"}}}`), 400, `unsupported APQ version: extensions.persistedQuery.version is 2`},
		"short hash":     {post(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}`), 400, `extensions.persistedQuery.sha256Hash must be`},
		"long hash":      {post(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("a", 65) + `"}}}`), 400, `extensions.persistedQuery.sha256Hash must be`},
		"other hash":     {post(`{"query":"{__typename}","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("a", 64) + `"}}}`), 400, `provided APQ hash does not match query`},
		"extensions":     {post(`{"query":"{__typename}","extensions":[]}`), 400, `could not be decoded`},
		"GET extensions": {r.s.Get(t.Context(), Values{Query: "{__typename}", Extensions: "7"}), 400, `extensions could not be decoded`},
		"batch":          {post(" [{}]"), 400, `json request body could not be decoded: it is a list, and one request has one operation body: [{}]`},
		"multipart":      {r.s.Post(t.Context(), "multipart/form-data; boundary=x", nil, Values{}), 400, `nothing in the schema takes an Upload`},
		"graphql":        {r.s.Post(t.Context(), "application/graphql", []byte("query A($m:ULID!){eventV2(id:$m){id}} query B($n:String!){run(runID:$n){id}}"), Values{OperationName: "B", Variables: `{"n":"x"}`}), 200, `error parsing runID`},
		"graphql, none":  {r.s.Post(t.Context(), "application/graphql; charset=utf-8", nil, Values{Query: "{__typename}"}), 422, "no operation provided"},
		"a huge number":  {post(`{"query":"{__typename}","variables":{"a":[{"b":1e999}]}}`), 400, "the number 1e999 is out of range"},
		"unknown field":  {query("{nope}"), 422, `{"errors":[{"message":"Cannot query field \"nope\" on type \"Query\".","locations":[{"line":1,"column":2}],` + invalid},
		"end of text":    {query("{apps{"), 422, `{"errors":[{"message":"Expected Name, found \u003cEOF\u003e","locations":[{"line":1,"column":7}],"extensions":{"code":"GRAPHQL_PARSE_FAILED"}}],"data":null}`},
		"bad escape":     {query(`{app(id:"\q"){id}}`), 422, `"extensions":{"code":"GRAPHQL_PARSE_FAILED"}}],"data":null}`},
		"not UTF-8":      {query("{apps{\xff}}"), 422, `"data":null}`},
		"only a string":  {query(`"\q"`), 422, `"extensions":{"code":"GRAPHQL_PARSE_FAILED"}}],"data":null}`},
		"absent":         {post(`{"query":"query($r:String!){run(runID:$r){id}}","variables":{}}`), 422, `{"errors":[{"message":"must be defined","path":["variable","r"],` + invalid},
		"null variable":  {post(`{"query":"query($r:String!){run(runID:$r){id}}","variables":{"r":null}}`), 422, `{"errors":[{"message":"cannot be null","path":["variable","r"],` + invalid},
		"wrong variable": {post(`{"query":"query($r:Int!){runs(first:$r,orderBy:[],filter:{from:\"x\"}){totalCount}}","variables":{"r":"a"}}`), 422, `"message":"argument \"a\": incompatible type: string",`},
		"no name":        {query("query A{__typename} query B{__typename}"), 422, `{"errors":[{"message":"operation  not found",` + invalid},
		"other name":     {post(`{"query":"query A{__typename}","operationName":"C"}`), 422, `{"errors":[{"message":"operation C not found",` + invalid},
		"GET mutation":   {r.s.Get(t.Context(), Values{Query: `mutation{deleteAppByName(name:"shop")}`}), 406, "GET requests only allow query operations"},
		"subscription":   {query("subscription{apps{id}}"), 422, `"data":null}`},
		"number as ID":   {query(`{eventV2(id:1){id}}`), 422, `1 must be a string`},
		"bad ULID":       {query(`{eventV2(id:"x"){id}}`), 200, `{"errors":[{"message":"ulid: bad data size when unmarshaling","path":["eventV2"]}],"data":null}`},
		"bad UUID":       {query(`{app(id:"x"){id}}`), 200, `{"errors":[{"message":"id: \"x\" is not a UUID","path":["app"]}],"data":{"app":null}}`},
		"bad time":       {query(`{runs(orderBy:[],filter:{from:"x"}){totalCount}}`), 200, `filter.from: \"x\" is not an RFC 3339 time`},
		"bad until":      {query(`{eventsV2(filter:{from:"2026-01-01T00:00:00Z",until:"y"}){totalCount}}`), 200, `filter.until: \"y\" is not an RFC 3339 time`},
		"bad function":   {query(`{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z",functionIDs:["f"]}){totalCount}}`), 200, `filter.functionIDs: \"f\" is not a UUID`},
		"null time":      {query(`{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z",timeField:null}){totalCount}}`), 422, `got null for non-null`},
		"ancient until":  {query(`{runs(orderBy:[],filter:{from:"0001-01-01T00:00:00Z",until:"1970-01-01T00:00:00Z"}){totalCount}}`), 200, `{"data":{"runs":{"totalCount":0}}}`},
		"stream limit":   {query(`{stream(query:{limit:401}){id}}`), 200, `query.limit must be from 1 to 400`},
		"stream after":   {query(`{stream(query:{after:"x"}){id}}`), 200, `ulid: bad data size when unmarshaling`},
		"event cursor":   {query(`{eventsV2(after:"%%",filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`), 200, `error decoding eventsv2 cursor: illegal base64 data at input byte 0`},
		"empty cursor":   {query(`{eventsV2(after:"e30=",filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`), 200, `error decoding eventsv2 cursor: it has no ID`},
		"run cursor":     {query(`{runs(after:"%%",orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`), 200, `error decoding cursor: illegal base64 data at input byte 0`},
		"large cursor":   {query(`{runs(after:"` + strings.Repeat("A", 5000) + `",orderBy:[],filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`), 200, `a cursor has at most 4096 bytes`},
		"search":         {query(`{runs(orderBy:[],filter:{from:"2026-01-01T00:00:00Z",query:"has(event.data.a)"}){totalCount}}`), 200, `{"errors":[{"message":"error retrieving runs: macros are currently not supported","path":["runs"]}],"data":null}`},
		"run":            {query(`{run(runID:"01HZZZZZZZZZZZZZZZZZZZZZZZ"){id}}`), 200, `{"errors":[{"message":"error retrieving run: sql: no rows in result set","path":["run"]}],"data":{"run":null}}`},
		"functionRun":    {query(`{functionRun(query:{functionRunId:"01HZZZZZZZZZZZZZZZZZZZZZZZ"}){id}}`), 200, `{"errors":[{"message":"not found","path":["functionRun"]}],"data":{"functionRun":null}}`},
		"functionRun id": {query(`{functionRun(query:{functionRunId:"x"}){id}}`), 200, `invalid run ID: ulid: bad data size when unmarshaling`},
		"debugSession":   {query(`{debugSession(query:{functionSlug:"x"}){debugRuns{status}}}`), 200, `debug session not found`},
	} {
		if c.answer.Status != c.status || !strings.Contains(string(c.answer.Body), c.body) {
			t.Errorf("%s: %d %s, want %d %s", name, c.answer.Status, c.answer.Body, c.status, c.body)
		}
	}
	if r.cat.Snapshot().BySlug["shop-pay"] == nil {
		t.Error("a GET has deleted an app")
	}
}

// TestLimits: what would take too much is refused, with the limit.
func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(300)
	var fns []string
	for i := range 100 {
		fns = append(fns, fmt.Sprintf(`{"id":"big-%d","name":"f%d","triggers":[{"event":"e"}],"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://app/%d"}}}}`, i, i, i))
	}
	r.register("big", fns...)
	runs := func(fields string) string {
		return fmt.Sprintf(`runs(first:300,orderBy:[],filter:{from:%q}){edges{node{%s}}}`, r.from(), fields)
	}
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("a%d: %s ", i, runs("id"))
	}
	bomb := "fragment f0 on App{id}"
	for i := 1; i < 25; i++ {
		bomb += fmt.Sprintf(" fragment f%d on App{...f%d ...f%d}", i, i-1, i-1)
	}
	fields := ""
	for i := range 700 {
		fields += fmt.Sprintf("f%d:id ", i)
	}
	for name, c := range map[string]struct{ query, text string }{
		"long text":      {"{apps{id}}" + strings.Repeat(" ", maxQuery), "the limit is 65536"},
		"deep":           {"{apps{" + strings.Repeat("functions{app{", 10) + "id" + strings.Repeat("}}", 10) + "}}", "exceeds max depth 20"},
		"pages":          {"{" + many + "}", "more than 10000 nodes"},
		"lists in lists": {"{apps{functions{app{functions{app{functions{id}}}}}}}", "more than 10000 nodes"},
		"traces":         {"{" + runs("trace(preview:true){name}") + "}", "more than 10000 nodes"},
		"fragments":      {"{apps{...f24}} " + bomb, "too many selections (limit 5000)"},
		"fields":         {"{" + runs(fields) + "}", "more than 200000 fields"},
		"brackets":       {strings.Repeat("{a", 5000), "maximum nesting depth exceeded"},
	} {
		status, body := r.post(c.query, nil)
		if status != 422 || !strings.Contains(body, c.text) || strings.Contains(body, `"data":{`) {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	const query = `{run(runID:"01HZZZZZZZZZZZZZZZZZZZZZZZ"){id} apps{name}}`
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"away":  {fmt.Errorf("dial 10.1.1.1: %w", history.ErrUnavailable), 503, `{"errors":[{"message":"history is not available: the database does not answer","path":["run"]}],"data":{"run":null,"apps":[{"name":"shop"}]}}`},
		"a bug": {errors.New("SELECT secret"), 200, `{"errors":[{"message":"internal system error","path":["run"]}],"data":{"run":null,"apps":[{"name":"shop"}]}}`},
	} {
		r := newRig(t)
		r.history.err = c.err
		if status, body := r.post(query, nil); status != c.status || body != c.body {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := r.s.Post(ctx, "application/json", mustJSON(nil, map[string]any{"query": query}), Values{})
	if a.Status != 503 || !strings.Contains(string(a.Body), "the request took longer than 15s and was given up") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	r.s.opts.History, r.s.opts.Operator, r.s.opts.SyncApp = nil, nil, nil
	for q, text := range map[string]string{
		query:                   "this server keeps no history",
		`{functions{isPaused}}`: "this server has no operations",
		`mutation{createApp(input:{url:"x"}){id}}`: "this server cannot reach apps",
	} {
		if _, body := r.post(q, nil); !strings.Contains(body, text) {
			t.Errorf("%s: %s", q, body)
		}
	}
}

// TestPanics: a bug of a resolver costs one field.
func TestPanics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.s.opts.History = panicking{}
	status, body := r.post(`{apps{name} run(runID:"01HZZZZZZZZZZZZZZZZZZZZZZZ"){id}}`, nil)
	if status != 200 || body != `{"errors":[{"message":"internal system error","path":["run"]}],"data":{"apps":[{"name":"shop"}],"run":null}}` {
		t.Errorf("%d %s", status, body)
	}
}

type panicking struct{ history.Reader }

func (panicking) Sync(context.Context) error { panic("a bug") }
