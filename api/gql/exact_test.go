package gql

import (
	"strings"
	"testing"
)

// TestLargeNumbers: ids in an event's data do not change on their way.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(1)
	const data = `{"a":9007199254740993,"b":[12345678901234567890,1.5],"c":7,"d":-9007199254740993}`
	body := `{"query":"mutation($d:Map){invokeFunction(functionSlug:\"shop-pay\",data:$d)}","variables":{"d":` + data + `}}`
	if a := r.s.Post(t.Context(), "application/json", []byte(body), Values{}); string(a.Body) != `{"data":{"invokeFunction":true}}` {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	sent := string(r.sent[len(r.sent)-1].Data)
	for _, part := range []string{`"a":9007199254740993`, `"b":[12345678901234567890,1.5]`, `"c":7`, `"d":-9007199254740993`} {
		if !strings.Contains(sent, part) {
			t.Errorf("%s is not in %s", part, sent)
		}
	}
	if status, out := r.post(`query($n:Int!){eventsV2(first:$n,filter:{from:"2026-01-01T00:00:00Z"}){totalCount}}`, map[string]any{"n": 9007199254740993}); status != 422 {
		t.Errorf("a page of that size: %d %s", status, out)
	}
}
