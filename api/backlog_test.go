package api

import (
	"strings"
	"testing"

	"ingot/engine"
	"ingot/engine/event"
)

// TestBacklogBounds: while too many runs wait nothing of a request is accepted, and the
// sender is asked to come back.
func TestBacklogBounds(t *testing.T) {
	t.Parallel()
	s, log := newIngestServer(Options{Logger: testLogger(&strings.Builder{}), Admit: func(ev *event.Event) error {
		switch string(ev.Name) {
		case "full", event.NameFunctionInvoked:
			return &engine.BacklogError{Function: "app-f", Limit: 10}
		case "all":
			return &engine.BacklogError{Limit: 99}
		}
		return nil
	}})
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"name":"ok","data":{}}`, 200, `"status":200`},
		{`[{"name":"ok","data":{}},{"name":"full","data":{}}]`, 429, `{"ids":[""],"status":429,"error":"too many runs of function \"app-f\" wait: the limit of 10 (max-function-backlog) is reached; send the events again later"}`},
		{`{"name":"all","data":{}}`, 503, `"error":"too many runs wait: the limit of 99 (max-backlog) is reached; send the events again later"`},
	} {
		res := call(s, "POST", "/e/key", c.body)
		if res.StatusCode() != c.status || !strings.Contains(string(res.Body()), c.want) {
			t.Errorf("%s: %d %s", c.body, res.StatusCode(), res.Body())
		}
		if after := string(res.Header.Peek("Retry-After")); (after == "") != (c.status == 200) {
			t.Errorf("%s: Retry-After %q", c.body, after)
		}
	}
	if res := call(s, "POST", "/invoke/app-f", `{"data":{}}`); res.StatusCode() != 429 || string(res.Header.Peek("Retry-After")) == "" {
		t.Errorf("invocation: %d %s", res.StatusCode(), res.Body())
	}
	if n := len(log.events(t)); n != 1 {
		t.Errorf("%d events were accepted, want 1", n)
	}
}
