package golden

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Views: what the APIs tell of a scenario when it is over, compared with what they
// told of it in the recording.

//go:embed testdata/operations.json
var operationsFile []byte

// operations are the GraphQL texts with which the views were recorded.
var operations = func() map[string]string {
	var file struct {
		Operations map[string]string `json:"operations"`
	}
	if err := json.Unmarshal(operationsFile, &file); err != nil {
		panic("golden: operations.json: " + err.Error())
	}
	return file.Operations
}()

// view is one snapshot.
type view struct {
	Runs      json.RawMessage `json:"gql_runs"`
	Single    []runView       `json:"runs"`
	REvents   []restView      `json:"rest_events"`
	REvent    []restView      `json:"rest_event"`
	REventRun []restView      `json:"rest_event_runs"`
}

// runView is what several APIs told of one run.
type runView struct {
	Run     json.RawMessage `json:"gql_run"`
	Outputs []outputView    `json:"gql_outputs"`
	Trigger json.RawMessage `json:"gql_trigger"`
	Legacy  json.RawMessage `json:"gql_functionRun_legacy"`
	Rest    *restView       `json:"rest_run"`
	Jobs    *restView       `json:"rest_jobs"`
}

type outputView struct {
	ID       string          `json:"outputID"`
	Response json.RawMessage `json:"response"`
}

// restView is a GET and its answer.
type restView struct {
	Request string `json:"request"`
	Status  int    `json:"status"`
	Raw     string `json:"raw"`
}

// compareViews compares the final view. Each problem begins with "view".
func (r *Replay) compareViews() []string {
	raw := r.s.Views["final"]
	if raw == nil {
		return nil
	}
	// Spans of the recording have random ids, which mean nothing; the address where nobody
	// listens is there by its name.
	raw = hexLabel.ReplaceAll(raw, []byte("<HEX16>"))
	raw = bytes.ReplaceAll(raw, []byte("localhost:9699"), []byte("<CLOSED>"))
	var v view
	if err := json.Unmarshal(raw, &v); err != nil {
		return []string{"view: " + err.Error()}
	}
	c := &viewComparer{r: r, comparer: comparer{b: r.b, unordered: unorderedInViews}}
	c.special = c.viewValue
	for i := range v.Single {
		c.run(&v.Single[i])
	}
	c.list(v.Runs)
	for _, list := range [][]restView{v.REvents, v.REvent, v.REventRun} {
		for i := range list {
			c.rest("event", &list[i])
		}
	}
	return c.problems
}

var hexLabel = regexp.MustCompile(`<HEX16:[^>]*>`)

// unorderedInViews: what begins in the same moment has no order of its own.
func unorderedInViews(path string) bool {
	return strings.HasSuffix(path, ".childrenSpans") || strings.HasSuffix(path, ".edges") ||
		strings.HasSuffix(path, ".outputs") || strings.HasSuffix(path, ".history") || strings.HasSuffix(path, ".data")
}

type viewComparer struct {
	comparer
	r        *Replay
	problems []string
}

// same compares a recorded answer with an actual one.
func (c *viewComparer) same(what string, want, got any) {
	c.diffs = nil
	c.value(what, settled(want), settled(got))
	for _, d := range c.diffs {
		c.problems = append(c.problems, "view "+d)
	}
}

func (c *viewComparer) fail(what string, err error) {
	c.problems = append(c.problems, fmt.Sprintf("view %s: %v", what, err))
}

// run compares everything that was recorded of one run.
func (c *viewComparer) run(v *runView) {
	var head struct {
		Data struct {
			Run *struct {
				ID     string `json:"id"`
				Status string `json:"status"`
			} `json:"run"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(quoteNumbers(string(v.Run))), &head); err != nil || head.Data.Run == nil {
		return // the reference had not indexed it yet
	}
	id, ok := c.b.Value(head.Data.Run.ID)
	if !ok {
		c.fail("run", fmt.Errorf("%s was not seen", head.Data.Run.ID))
		return
	}
	c.operation("run", v.Run, map[string]any{"runID": id})
	c.outputs(v, id)
	c.operation("trigger", v.Trigger, map[string]any{"runID": id})
	c.operation("functionRun", v.Legacy, map[string]any{"id": id})
	// The reference keeps answers about a run for 3 s, so what was recorded may be old.
	ended := head.Data.Run.Status != "RUNNING" && head.Data.Run.Status != "QUEUED"
	if v.Rest != nil && !(ended && strings.Contains(v.Rest.Raw, `"ended_at":null`)) {
		c.rest("run", v.Rest)
	}
	if v.Jobs != nil && ended {
		c.rest("jobs", v.Jobs)
	}
}

// operation sends one of the recorded GraphQL operations and compares its answer.
func (c *viewComparer) operation(name string, want json.RawMessage, vars map[string]any) {
	if want == nil {
		return
	}
	w, err := decodeTemplate(string(want))
	if err != nil {
		c.fail(name, err)
		return
	}
	got, err := c.graphql(name, vars)
	if err != nil {
		c.fail(name, err)
		return
	}
	c.same(name, w, got)
}

// list compares the list of the scenario's runs.
func (c *viewComparer) list(want json.RawMessage) {
	app, ok := c.b.Value("<UUID:app1>")
	if want == nil || !ok {
		return
	}
	apps := []string{app}
	for n := 2; ok; n++ {
		if app, ok = c.b.Value(fmt.Sprintf("<UUID:app%d>", n)); ok {
			apps = append(apps, app)
		}
	}
	c.operation("runs", want, map[string]any{"from": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "appIDs": apps})
}

// outputs compares what the output ids of a run's trace lead to.
func (c *viewComparer) outputs(v *runView, run string) {
	got, err := c.graphql("run", map[string]any{"runID": run})
	if err != nil {
		return // said already
	}
	var want, have []any
	for _, o := range v.Outputs {
		w, err := decodeTemplate(string(o.Response))
		if err != nil {
			c.fail("outputs", err)
			return
		}
		want = append(want, w)
	}
	for _, id := range outputIDs(got) {
		o, err := c.graphql("output", map[string]any{"id": id})
		if err != nil {
			c.fail("outputs", err)
			return
		}
		have = append(have, o)
	}
	c.same("outputs", map[string]any{"outputs": want}, map[string]any{"outputs": have})
}

// outputIDs collects them in the order of the tree, each as often as it stands there.
func outputIDs(v any) (ids []string) {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["outputID"].(string); ok {
			ids = append(ids, id)
		}
		for _, k := range []string{"data", "run", "trace", "childrenSpans"} {
			ids = append(ids, outputIDs(v[k])...)
		}
	case []any:
		for _, e := range v {
			ids = append(ids, outputIDs(e)...)
		}
	}
	return ids
}

// graphql asks the server under test.
func (c *viewComparer) graphql(name string, vars map[string]any) (any, error) {
	body, err := json.Marshal(map[string]any{"query": operations[name], "variables": vars})
	if err != nil {
		return nil, err
	}
	res, err := client.Post("http://"+c.r.server+"/v0/gql", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return readJSON(res)
}

func readJSON(res *http.Response) (any, error) {
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(text)
	if err != nil {
		return nil, fmt.Errorf("status %d: %q is no JSON", res.StatusCode, clip(string(text)))
	}
	return v, nil
}

// rest repeats a GET.
func (c *viewComparer) rest(what string, v *restView) {
	w, err := decodeTemplate(v.Raw)
	if err != nil {
		c.fail(what, err)
		return
	}
	_, path, _ := strings.Cut(v.Request, " ")
	for _, p := range parse(path) {
		if _, ok := c.b.Value(p.text); p.bound() && !ok {
			return // about an event of the server whose id nothing else tells
		}
	}
	res, err := client.Get("http://" + c.r.server + c.b.Expand(path, time.Now()))
	if err != nil {
		c.fail(what, err)
		return
	}
	got, err := readJSON(res)
	if err != nil {
		c.fail(what, err)
		return
	}
	c.same("rest "+what, w, got)
}

// volatile are fields whose values are times or sizes of the moment, or say which of
// the runs of one moment comes first.
var volatile = map[string]bool{
	"duration": true, "durationMS": true, "totalCount": true, "fetched_at": true, "cached_until": true,
	"startCursor": true, "endCursor": true,
}

// settled drops volatile values, and decodes ids that are JSON in base64.
func settled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if !volatile[k] {
				out[k] = settled(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = settled(e)
		}
		return out
	case string:
		if inner, ok := strings.CutPrefix(v, "<B64JSON "); ok {
			if doc, err := decodeTemplate(strings.TrimSuffix(inner, ">")); err == nil {
				return identifier(doc)
			}
		}
		if raw, err := base64.StdEncoding.DecodeString(v); err == nil && len(raw) > 0 && raw[0] == '{' {
			// A span's id in hex may be base64 too, of an object without fields.
			if doc, err := decodeJSON(raw); err == nil && len(doc.(map[string]any)) > 0 {
				return identifier(doc)
			}
		}
	}
	return v
}

// identifier drops the run's id from ids of outputs: the reference has it in some of
// them only.
func identifier(doc any) any {
	if m, ok := doc.(map[string]any); ok && m["sid"] != nil {
		delete(m, "rid")
	}
	return doc
}
