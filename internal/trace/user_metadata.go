package trace

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Metadata that spans of user code bring with them in their attributes: those of GenAI
// and HTTP clients by OpenTelemetry's semantic conventions (spec 02 §6.8). It is made
// when a trace is read, so that spans stored before this was known have it too. Prompts
// and answers are not taken: they stay attributes.

const (
	kindAI    = "inngest.ai"
	kindHTTP  = "inngest.http"
	scopeUser = "extended_trace"

	// maxUserValue bounds a value in bytes; longer ones stay attributes only. All values
	// of a span then stay below the 64 KiB of spec 02 §14.
	maxUserValue = 4 << 10
)

// userField is one key of metadata: its sources are attributes, the first that has a
// value counts. read returns the value as JSON, or nil if it is none for the key.
type userField struct {
	key     string
	read    func(json.RawMessage) json.RawMessage
	sources []string
}

// aiFields are named as the SDK names what it extracts itself.
var aiFields = []userField{
	{"request_model", textValue, []string{"gen_ai.request.model"}},
	{"response_model", textValue, []string{"gen_ai.response.model"}},
	{"provider", textValue, []string{"gen_ai.provider.name", "gen_ai.system"}},
	{"operation_name", textValue, []string{"gen_ai.operation.name"}},
	{"response_id", textValue, []string{"gen_ai.response.id"}},
	{"finish_reasons", textsValue, []string{"gen_ai.response.finish_reasons"}},
	{"input_tokens", numberValue, []string{"gen_ai.usage.input_tokens"}},
	{"output_tokens", numberValue, []string{"gen_ai.usage.output_tokens"}},
	{"total_tokens", numberValue, []string{"gen_ai.usage.total_tokens"}},
	{"cache_read_tokens", numberValue, []string{"gen_ai.usage.cache_read.input_tokens"}},
	{"cache_creation_tokens", numberValue, []string{"gen_ai.usage.cache_creation.input_tokens"}},
	{"reasoning_tokens", numberValue, []string{"gen_ai.usage.reasoning.output_tokens"}},
	{"temperature", numberValue, []string{"gen_ai.request.temperature"}},
	{"top_p", numberValue, []string{"gen_ai.request.top_p"}},
	{"max_tokens", numberValue, []string{"gen_ai.request.max_tokens"}},
	{"frequency_penalty", numberValue, []string{"gen_ai.request.frequency_penalty"}},
	{"presence_penalty", numberValue, []string{"gen_ai.request.presence_penalty"}},
	{"seed", numberValue, []string{"gen_ai.request.seed"}},
}

// The stable attributes of HTTP and those before them, which most libraries still send.
var (
	httpMethod = userField{"method", textValue, []string{"http.request.method", "http.method"}}
	httpStatus = userField{"status_code", numberValue, []string{"http.response.status_code", "http.status_code"}}
	httpFields = []userField{
		{"url", textValue, []string{"url.full", "http.url"}},
		{"scheme", textValue, []string{"url.scheme", "http.scheme"}},
		{"domain", textValue, []string{"server.address", "net.peer.name", "http.host"}},
		{"path", textValue, []string{"url.path", "http.target"}},
		{"route", textValue, []string{"http.route"}},
		{"request_size", numberValue, []string{"http.request.body.size", "http.request_content_length"}},
		{"response_size", numberValue, []string{"http.response.body.size", "http.response_content_length"}},
	}
)

// metadata is what the span's attributes say under the server's kinds.
func (u *UserSpan) metadata() (out []Metadata) {
	if len(u.Attributes) == 0 {
		return nil
	}
	var attributes map[string]json.RawMessage
	if json.Unmarshal(u.Attributes, &attributes) != nil {
		return nil
	}
	took := max(u.End, u.Start) - u.Start
	add := func(kind string, values map[string]json.RawMessage) {
		out = append(out, Metadata{Scope: scopeUser, Kind: kind, Values: values, UpdatedAt: (u.Start + took) / 1e6})
	}
	if values := valuesOf(attributes, aiFields); len(values) > 0 {
		values["latency_ms"] = json.RawMessage(strconv.FormatFloat(float64(took)/1e6, 'f', -1, 64))
		add(kindAI, values)
	}
	// Other clients, of databases for instance, have addresses too: a request has a method
	// or a status.
	if values := valuesOf(attributes, []userField{httpMethod, httpStatus}); len(values) > 0 {
		for k, v := range valuesOf(attributes, httpFields) {
			values[k] = v
		}
		add(kindHTTP, values)
	}
	return out
}

func valuesOf(attributes map[string]json.RawMessage, fields []userField) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, f := range fields {
		for _, source := range f.sources {
			if v := f.read(attributes[source]); v != nil && len(v) <= maxUserValue {
				out[f.key] = v
				break
			}
		}
	}
	return out
}

// textValue is a text that is not empty; numbers and booleans become texts.
func textValue(v json.RawMessage) json.RawMessage {
	switch {
	case len(v) == 0 || string(v) == `""` || string(v) == "null" || v[0] == '[' || v[0] == '{':
		return nil
	case v[0] == '"':
		return v
	}
	return json.RawMessage(`"` + string(v) + `"`)
}

// numberValue is a number, also one that was sent as a text.
func numberValue(v json.RawMessage) json.RawMessage {
	if text := strings.Trim(string(v), `"`); text != "" && text != "null" {
		if n := json.RawMessage(text); text[0] != '{' && text[0] != '[' && text[0] != 't' && text[0] != 'f' && json.Valid(n) {
			return n
		}
	}
	return nil
}

// textsValue is a list of texts that are not empty; one text is a list of one.
func textsValue(v json.RawMessage) json.RawMessage {
	var one string
	if json.Unmarshal(v, &one) == nil && one != "" {
		return json.RawMessage("[" + string(v) + "]")
	}
	var list []any
	if json.Unmarshal(v, &list) != nil {
		return nil
	}
	var texts []string
	for _, element := range list {
		if text, ok := element.(string); ok && text != "" {
			texts = append(texts, text)
		}
	}
	if texts == nil {
		return nil
	}
	out, err := json.Marshal(texts)
	if err != nil {
		return nil
	}
	return out
}
