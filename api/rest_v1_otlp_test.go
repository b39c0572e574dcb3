package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"ingot/engine"

	"google.golang.org/protobuf/encoding/protowire"
)

// pb makes messages; the numbers are those of opentelemetry-proto.
func pbMessage(number protowire.Number, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
}

func pbText(number protowire.Number, text string) []byte { return pbMessage(number, []byte(text)) }

func pbNumber(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func pbFixed(number protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), v)
}

func pbPair(number protowire.Number, key string, value []byte) []byte {
	return pbMessage(number, pbText(1, key), pbMessage(2, value))
}

// TestOTLPForms: both encodings of one export are read alike.
func TestOTLPForms(t *testing.T) {
	t.Parallel()
	id := binary.BigEndian.AppendUint64(nil, 0x00f067aa0ba902b7)
	parent := binary.BigEndian.AppendUint64(nil, 0x1112131415161718)
	pb := pbMessage(1,
		pbMessage(1, pbPair(1, "service.name", pbText(1, "svc"))),
		pbMessage(2,
			pbMessage(2, pbText(1, "trace bytes 16.."), pbMessage(2, id), pbMessage(4, parent), pbText(5, "work"), pbNumber(6, 3),
				pbFixed(7, 1700000000000000000), pbFixed(8, 1700000000000000007),
				pbPair(9, "s", pbText(1, "text")), pbPair(9, "b", pbNumber(2, 1)), pbPair(9, "i", pbNumber(3, 5)),
				pbPair(9, "d", pbFixed(4, math.Float64bits(1.5))),
				pbPair(9, "a", pbMessage(5, pbMessage(1, pbNumber(3, 1)), pbMessage(1, pbText(1, "x")))),
				pbPair(9, "m", pbMessage(6, pbPair(1, "k", pbNumber(3, 2)))), pbPair(9, "y", pbText(7, "raw")),
				pbMessage(15, pbText(2, "oh"), pbNumber(3, 2))),
			pbMessage(1, pbText(1, "lib"), pbText(2, "1.0")))) // behind the spans: the order is free
	json := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"scope":{"name":"lib","version":"1.0"},"spans":[
		{"spanId":"00F067AA0BA902B7","parentSpanId":"1112131415161718","name":"work","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000000000007,
		"attributes":[{"key":"s","value":{"stringValue":"text"}},{"key":"b","value":{"boolValue":true}},{"key":"i","value":{"intValue":"5"}},{"key":"d","value":{"doubleValue":1.5}},
		{"key":"a","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"x"}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":2}}]}}},{"key":"y","value":{"bytesValue":"cmF3"}}],
		"status":{"message":"oh","code":2}}]}]}]}`
	want := []otlpSpan{{
		ID: "00f067aa0ba902b7", Parent: "1112131415161718", Name: "work", Kind: "SPAN_KIND_CLIENT", Start: 1700000000000000000, End: 1700000000000000007,
		Failed: true, Service: "svc", Scope: "lib", ScopeVersion: "1.0",
		Attributes: map[string]any{
			"s": "text", "b": true, "i": int64(5), "d": 1.5, "a": []any{int64(1), "x"}, "m": map[string]any{"k": int64(2)}, "y": "cmF3",
		},
	}}
	for name, got := range map[string]func() ([]otlpSpan, error){
		"protobuf": func() ([]otlpSpan, error) { return decodeOTLP(pb) },
		"JSON":     func() ([]otlpSpan, error) { return decodeOTLPJSON([]byte(json)) },
	} {
		spans, err := got()
		if err != nil || !reflect.DeepEqual(spans, want) {
			t.Errorf("%s: %+v %v\nwant %+v", name, spans, err, want)
		}
	}
}

func TestOTLPIDs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "00F067aa0ba902b7": "00f067aa0ba902b7", "APBnqgupArc=": "00f067aa0ba902b7", "zz": "", "00f067": "",
	} {
		if got := otlpID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestSpanRecords: which spans are kept, and as what.
func TestSpanRecords(t *testing.T) {
	t.Parallel()
	h := &fakeHistory{}
	s := restServer(t, h, nil)
	fn := s.opts.Catalog.Snapshot().BySlug["app-f"].ID
	good := map[string]string{
		attrTraceRef: url.QueryEscape(`{"tp":"00-1-2-01"}`), attrFunction: fn.String(), attrRun: testRun, "own": "x", "_inngest.y": "z",
	}
	span := func(scope, name, parent string, change map[string]string) string {
		var list []string
		for k, v := range good {
			if c, ok := change[k]; ok {
				v = c
			}
			list = append(list, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, k, v))
		}
		for k, v := range change {
			if _, ok := good[k]; !ok {
				list = append(list, fmt.Sprintf(`{"key":%q,"value":{%s}}`, k, v))
			}
		}
		return fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"scope":{"name":%q},"spans":[{"spanId":"00f067aa0ba902b7","parentSpanId":%q,"name":%q,"attributes":[%s]}]}]}]}`,
			scope, parent, name, strings.Join(list, ","))
	}
	post := func(body string) string {
		return string(sdkCall(s, "POST", "/v1/traces/userland", body, "Content-Type", "application/json").Body())
	}
	for attribute, value := range map[string]string{
		attrTraceRef: "no json", attrFunction: "00000000-0000-4000-a000-000000000001", attrRun: "zz",
	} {
		if got := post(span("lib", "work", "", map[string]string{attribute: value})); got != `{"partialSuccess":{"rejectedSpans":"1"}}` {
			t.Errorf("%s %s: %s", attribute, value, got)
		}
	}
	for _, c := range []struct{ body, parent, step string }{
		{span("lib", "work", "1112131415161718", nil), `"parent":"1112131415161718",`, ""},
		{span("inngest", "inngest.execution", "1112131415161718", nil), "", ""},
		{span("lib", "work", "1112131415161718", map[string]string{attrParent: `"stringValue":"2122232425262728"`}), `"parent":"2122232425262728",`, ""},
		{span("lib", "work", "", map[string]string{attrStepID: `"stringValue":"one"`, attrStepIndex: `"intValue":1`, attrStepAttempt: `"intValue":2`}), "", hashStep("one", 1)},
		{span("lib", "work", "", map[string]string{attrStepHash: `"stringValue":"abc"`, attrStepAttempt: `"intValue":2`}), "", "abc"},
	} {
		if got := post(c.body); got != "{}" {
			t.Fatalf("%s: %s", c.body, got)
		}
		l := h.appended[len(h.appended)-1]
		attempt := 0
		if c.step != "" {
			attempt = 2
		}
		if l.Kind != engine.UserSpan || l.Run.String() != testRun || l.Step != c.step || l.Attempt != attempt || l.Fn != fn ||
			!strings.HasPrefix(string(l.Payload), `{"id":"00f067aa0ba902b7",`+c.parent+`"start":`) || !strings.Contains(string(l.Payload), `"attributes":{"own":"x"}`) {
			t.Errorf("%+v %s, want parent %s step %s", l, l.Payload, c.parent, c.step)
		}
	}
	h.err = engine.ErrBusy
	expectStatus(t, sdkCall(s, "POST", "/v1/traces/userland", span("lib", "w", "", nil), "Content-Type", "application/json").StatusCode(), 503)
}

func TestTooManySpans(t *testing.T) {
	t.Parallel()
	spans := strings.Repeat("{},", maxExportSpans) + "{}"
	if _, err := decodeOTLPJSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + spans + `]}]}]}`)); err == nil {
		t.Error("there is no bound")
	}
	var scope [][]byte
	for range maxExportSpans + 1 {
		scope = append(scope, pbMessage(2))
	}
	if _, err := decodeOTLP(pbMessage(1, pbMessage(2, scope...))); err == nil {
		t.Error("there is no bound in protobuf")
	}
	deepValue := pbText(1, "x")
	for range maxValueDepth {
		deepValue = pbMessage(5, pbMessage(1, deepValue))
	}
	if _, err := decodeOTLP(pbMessage(1, pbMessage(1, pbPair(1, "k", deepValue)))); err == nil {
		t.Error("values may be as deep as they like")
	}
}

// FuzzDecodeOTLP: nothing that anybody sends panics or takes long.
func FuzzDecodeOTLP(f *testing.F) {
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{"arrayValue":{"values":[{}]}}}]}]}]}]}`))
	f.Add(pbMessage(1, pbMessage(2, pbMessage(2, pbText(5, "n"), pbPair(9, "k", pbNumber(3, 1))))))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, decode := range []func([]byte) ([]otlpSpan, error){decodeOTLP, decodeOTLPJSON} {
			if spans, err := decode(body); err == nil && len(spans) > maxExportSpans {
				t.Errorf("%d spans", len(spans))
			}
		}
	})
}

// TestOTLPCrowded: an export of very many small things is refused before it is decoded.
func TestOTLPCrowded(t *testing.T) {
	t.Parallel()
	for _, element := range []string{"{}", "null"} {
		body := `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat(element+",", maxExportCommas) + element + `]}]}]}`
		if _, err := decodeOTLPJSON([]byte(body)); !errors.Is(err, errTooManySpans) {
			t.Errorf("%s: %v", element, err)
		}
	}
	text := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"` + strings.Repeat(`{,\"`, maxExportCommas) + `","startTimeUnixNano":null}]}]}]}`
	if spans, err := decodeOTLPJSON([]byte(text)); err != nil || len(spans) != 1 {
		t.Errorf("%d spans, %v", len(spans), err)
	}
}
