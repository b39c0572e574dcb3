package gql

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// want sends a query and checks a part of the answer.
func (r *rig) want(query, part string) {
	r.t.Helper()
	if status, body := r.post(query, nil); status != 200 || !strings.Contains(body, part) {
		r.t.Errorf("%s: %d %s, want %s", query, status, body, part)
	}
}

func TestCancelRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(3)
	cancel := func(id ulid.ULID) string { return `mutation{cancelRun(runID:"` + id.String() + `"){status}}` }
	r.want(cancel(ulid.ULID{}), `"message":"not found"`)
	r.want(cancel(r.id('r', 1)), `cannot cancel an ended run`)
	r.want(cancel(r.id('r', 0)), `{"data":{"cancelRun":{"status":"CANCELLED"}}}`)
	r.want(cancel(r.id('r', 0)), `{"data":{"cancelRun":{"status":"CANCELLED"}}}`)
	r.engine.err = engine.ErrBusy
	r.history.runs[1].Status = 2
	if status, body := r.post(cancel(r.id('r', 1)), nil); status != 503 {
		t.Errorf("%d %s", status, body)
	}
}

func TestRerun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(3)
	rerun := func(id ulid.ULID, from string) string {
		return `mutation{rerun(runID:"` + id.String() + `"` + from + `)}`
	}
	r.want(rerun(ulid.ULID{}, ""), `"message":"sql: no rows in result set"`)
	r.want(rerun(r.id('r', 1), `,fromStep:{stepID:"nope"}`), `rerun step not found`)
	r.want(rerun(r.id('r', 1), `,fromStep:{stepID:"bb",input:"{}"}`), `input is not a valid JSON array`)
	if len(r.engine.replays) != 0 {
		t.Fatal("a refused rerun was started")
	}
	r.want(rerun(r.id('r', 1), ""), `{"data":{"rerun":"`)
	r.want(rerun(r.id('r', 1), `,fromStep:{stepID:"bb",input:"[1]"}`), `{"data":{"rerun":"`)
	if n := len(r.engine.replays); n != 2 || r.engine.replays[0].Original != r.id('r', 1) || len(r.engine.replays[1].Steps) != 1 ||
		string(r.engine.replays[1].Input.Memo) != `{"input":[1]}` {
		t.Errorf("%+v", r.engine.replays)
	}
	r.engine.err = fmt.Errorf("rerun: %w", engine.ErrSkipped)
	r.want(rerun(r.id('r', 1), ""), engine.ErrSkipped.Error())
}

func TestInvokeFunction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want(`mutation{invokeFunction(functionSlug:"nope",data:{a:1,b:{c:"x"}},user:{u:1},meta:{sessions:{s:"1"}})}`, `{"data":{"invokeFunction":true}}`)
	if len(r.sent) != 1 {
		t.Fatal("no event was sent")
	}
	e := r.sent[0]
	var data struct {
		A       int
		Inngest struct {
			FnID string `json:"fn_id"`
		} `json:"_inngest"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.A != 1 || data.Inngest.FnID != "nope" ||
		string(e.Name) != "inngest/function.invoked" || string(e.User) != `{"u":1}` || string(e.Sessions) != `{"s":"1"}` {
		t.Errorf("%s %s %s %s %v", e.Name, e.Data, e.User, e.Sessions, err)
	}
	r.want(`mutation{invokeFunction(functionSlug:"f",meta:{x:1})}`, `event meta \"x\" is not supported`)
	r.want(`mutation{invokeFunction(functionSlug:"f",meta:{sessions:1})}`, `event meta sessions must be an object`)
	r.want(`mutation{invokeFunction(functionSlug:"f",meta:{sessions:{k:true}})}`, `session \"k\" must be a string or number`)
	if r.want(`mutation{invokeFunction(functionSlug:"f")}`, `true`); len(r.sent) != 2 {
		t.Error("a refused invocation was sent")
	}
	r.engine.err = errors.New("disk on fire")
	r.want(`mutation{invokeFunction(functionSlug:"f")}`, textInternal)
}

func TestApps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want(`{apps{name externalID method connected functionCount appVersion error functions{slug}} none:apps(filter:{method:CONNECT}){id}}`,
		`{"data":{"apps":[{"name":"shop","externalID":"shop","method":"SERVE","connected":true,"functionCount":1,"appVersion":"","error":null,"functions":[{"slug":"shop-pay"}]}],"none":[]}}`)
	r.problem = "url_not_found"
	r.want(`mutation{createApp(input:{url:"127.0.0.1:9/x"}){id}}`, `"message":"url_not_found"`)
	r.want(`{apps{name url error connected}}`, `{"name":"","url":"http://localhost:9/x","error":"unreachable","connected":false}`)
	r.problem = ""
	r.want(`mutation{createApp(input:{url:"http://app/shop"}){name connected}}`, `{"data":{"createApp":{"name":"shop","connected":true}}}`)
	r.want(`mutation{createApp(input:{url:"http://app/silent"}){name}}`, `There was an error creating your app`)
	id := r.cat.Snapshot().BySlug["shop-pay"].AppID.String()
	r.want(`mutation{updateApp(input:{id:"`+id+`",url:"http://0.0.0.0:7/y"}){url}}`, `{"data":{"updateApp":{"url":"http://localhost:7/y"}}}`)
	r.want(`mutation{updateApp(input:{id:"`+r.fn("shop-pay").String()+`",url:"u"}){url}}`, textNoRows)
	r.want(`mutation{updateApp(input:{id:"x",url:"u"}){url}}`, `input.id: \"x\" is not a UUID`)
	r.want(`mutation{deleteApp(id:"`+r.fn("shop-pay").String()+`")}`, `{"data":{"deleteApp":"`)
	r.want(`mutation{deleteAppByName(name:"nope")}`, `{"data":{"deleteAppByName":false}}`)
	r.want(`mutation{deleteApp(id:"`+id+`") b:deleteAppByName(name:"shop")}`, `{"data":{"deleteApp":"`+id+`","b":false}}`)
	r.want(`{functions{id} app(id:"`+id+`"){name}}`, `{"data":{"functions":[],"app":{"name":"shop"}}}`)
	r.want(`mutation{createApp(input:{url:""}){name}}`, `input.url must have from 1 to 2048 bytes`)
	r.want(`mutation{updateApp(input:{id:"`+id+`",url:"`+strings.Repeat("x", maxURL+1)+`"}){name}}`, `input.url must have from 1 to 2048 bytes`)
	if len(r.synced) != 4 {
		t.Errorf("asked %v", r.synced)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.fn("shop-pay").String()
	for mutation, want := range map[string]string{
		"pauseFunction": `{"mode":"PAUSED","isPaused":true}`, "drainFunction": `{"mode":"DRAINING","isPaused":false}`,
		"unpauseFunction": `{"mode":"ACTIVE","isPaused":false}`,
	} {
		r.want(`mutation{`+mutation+`(fnID:"`+id+`"){mode isPaused}}`, want)
	}
	r.want(`mutation{pauseFunction(fnID:"`+r.cat.Snapshot().BySlug["shop-pay"].AppID.String()+`"){mode}}`, textNoRows)
	r.want(`mutation{pauseFunction(fnID:"x"){mode}}`, `fnID: \"x\" is not a UUID`)
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want(`{functionBySlug(query:{functionSlug:"shop-pay"}){concurrency triggers{type value condition} failureHandler{id} configuration{
		cancellations{event timeout condition} retries{value isDefault} priority eventsBatch{maxSize} concurrency{scope limit{value isPlanLimit} key}
		rateLimit{limit period key} debounce{period key} throttle{burst key limit period} singleton{mode}}}}`,
		`{"concurrency":3,"triggers":[{"type":"EVENT","value":"shop/order","condition":null},{"type":"EVENT","value":"shop/*","condition":"event.data.n \u003e 100"}],`+
			`"failureHandler":null,"configuration":{"cancellations":[{"event":"shop/stop","timeout":"1h","condition":"async.data.n == event.data.n"}],`+
			`"retries":{"value":2,"isDefault":false},"priority":"10","eventsBatch":null,"concurrency":[{"scope":"FUNCTION","limit":{"value":3,"isPlanLimit":false},"key":null},`+
			`{"scope":"ENVIRONMENT","limit":{"value":7,"isPlanLimit":false},"key":"event.data.k"}],"rateLimit":{"limit":9,"period":"1h","key":null},`+
			`"debounce":{"period":"5s","key":"event.data.k"},"throttle":{"burst":2,"key":null,"limit":5,"period":"1m0s"},"singleton":null}}`)
	r.want(`{functionBySlug(query:{functionSlug:"x"}){id}}`, textNoRows)
}

func TestDebugAndConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want(`mutation{createDebugSession(input:{functionSlug:"x"}){debugSessionID debugRunID}}`, `"debugRunID":"0`)
	r.want(`{debugRun(query:{functionSlug:"x"}){debugTraces{name}} debugSession(query:{functionSlug:"x",debugSessionID:"s"}){debugRuns{status}}}`,
		`{"data":{"debugRun":{"debugTraces":[]},"debugSession":{"debugRuns":[]}}}`)
	r.want(`{workerConnections(orderBy:[],filter:{}){totalCount edges{node{id}} pageInfo{hasNextPage endCursor}}}`,
		`{"data":{"workerConnections":{"totalCount":0,"edges":[],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}`)
	r.want(`{workerConnection(connectionId:"01HZZZZZZZZZZZZZZZZZZZZZZZ"){id}}`, `error retrieving worker connection: sql: no rows in result set`)
}

// TestSyncOnce: a request reads what was durable when it came, and asks for that once.
func TestSyncOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(2)
	var ignored any
	r.data(&ignored, `query($f:Time!,$r:String!){a:run(runID:$r){id} b:run(runID:$r){id trace{name}} runs(orderBy:[],filter:{from:$f}){totalCount}}`,
		map[string]any{"f": time.UnixMilli(1).UTC().Format(time.RFC3339), "r": r.id('r', 0).String()})
	if n := r.history.calls["Sync"]; n != 1 {
		t.Errorf("%d times", n)
	}
}
