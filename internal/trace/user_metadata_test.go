package trace

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestUserMetadata: what is made of the attributes of spans of user code.
func TestUserMetadata(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxUserValue)
	for _, c := range []struct{ name, attributes, want string }{
		{"none", ``, `null`},
		{"no object", `[1]`, `null`},
		{"others", `{"db.system":"pg","server.address":"db","url.full":"x"}`, `null`},
		{"AI", `{"gen_ai.request.model":"gpt","gen_ai.system":"openai","gen_ai.response.finish_reasons":["stop","",3],"gen_ai.usage.input_tokens":"12","gen_ai.usage.output_tokens":3,"gen_ai.request.temperature":0.5,"gen_ai.prompt":"secret"}`,
			`{"inngest.ai":{"finish_reasons":["stop"],"input_tokens":12,"latency_ms":1.5,"output_tokens":3,"provider":"openai","request_model":"gpt","temperature":0.5}}`},
		{"AI, of which nothing can be read", `{"gen_ai.request.model":"","gen_ai.usage.input_tokens":"many","gen_ai.response.finish_reasons":[],"gen_ai.usage.output_tokens":true,"gen_ai.response.id":{"a":1}}`, `null`},
		{"the provider's new name first", `{"gen_ai.provider.name":"a","gen_ai.system":"b","gen_ai.response.finish_reasons":"stop"}`,
			`{"inngest.ai":{"finish_reasons":["stop"],"latency_ms":1.5,"provider":"a"}}`},
		{"HTTP", `{"http.request.method":"POST","http.response.status_code":201,"url.full":"https://a.b/c","server.address":"a.b","http.response.body.size":7}`,
			`{"inngest.http":{"domain":"a.b","method":"POST","response_size":7,"status_code":201,"url":"https://a.b/c"}}`},
		{"HTTP of before", `{"http.method":"GET","http.status_code":"404","http.url":"http://a","http.host":"a:80","http.target":"/x","http.scheme":"http","http.route":"/:id"}`,
			`{"inngest.http":{"domain":"a:80","method":"GET","path":"/x","route":"/:id","scheme":"http","status_code":404,"url":"http://a"}}`},
		{"too long", `{"http.request.method":"GET","url.full":"` + long + `","http.url":"short"}`, `{"inngest.http":{"method":"GET","url":"short"}}`},
		{"both", `{"gen_ai.response.id":5,"http.status_code":200}`, `{"inngest.ai":{"latency_ms":1.5,"response_id":"5"},"inngest.http":{"status_code":200}}`},
	} {
		u := UserSpan{Start: 1_700_000_000_000_000_000, End: 1_700_000_000_001_500_000, Attributes: json.RawMessage(c.attributes)}
		var got map[string]map[string]json.RawMessage
		for _, m := range u.metadata() {
			if m.Scope != "extended_trace" || m.UpdatedAt != 1_700_000_000_001 {
				t.Errorf("%s: scope %s at %d", c.name, m.Scope, m.UpdatedAt)
			}
			if got == nil {
				got = map[string]map[string]json.RawMessage{}
			}
			got[m.Kind] = m.Values
		}
		text, err := json.Marshal(got)
		if err != nil || string(text) != c.want {
			t.Errorf("%s: %s %v\nwant %s", c.name, text, err, c.want)
		}
	}
}

// TestUserMetadataInTree: it is shown with the span, and what the API says about the span
// is joined with it.
func TestUserMetadataInTree(t *testing.T) {
	t.Parallel()
	p := userSpans()
	for i := range p.out {
		p.out[i].Payload = []byte(strings.ReplaceAll(string(p.out[i].Payload), `"http.status":200`, `"http.method":"GET","http.status_code":500`))
	}
	var found *Span
	var walk func(s *Span)
	walk = func(s *Span) {
		if s.SpanID == "00000000000000a2" {
			found = s
		}
		for _, c := range s.Children {
			walk(c)
		}
	}
	walk(Tree(p.trace(), Env{}))
	if found == nil || len(found.Metadata) != 1 {
		t.Fatalf("%+v", found)
	}
	text, err := json.Marshal(found.Metadata[0].Values)
	if want := `{"method":"GET","status":200,"status_code":500}`; err != nil || string(text) != want {
		t.Errorf("%s %v, want %s", text, err, want)
	}
}
