package benchmarks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"ingot/engine/event"
	"ingot/internal/jcs"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/ast"
)

// rawEvent is what the alternatives decode into: text where the engine needs text,
// spans where it passes bytes on.
type rawEvent struct {
	Name string          `json:"name"`
	ID   string          `json:"id"`
	TS   int64           `json:"ts"`
	Data json.RawMessage `json:"data"`
	User json.RawMessage `json:"user"`
}

// BenchmarkChoiceParse reads the events of a body. All find the same fields; the
// scanner of this program and encoding/json validate every byte of data besides.
func BenchmarkChoiceParse(b *testing.B) {
	var parser event.Parser
	var ev event.Event
	for _, in := range []struct {
		name    string
		size, n int
	}{{"200B", 200, 1}, {"1KB", 1000, 1}, {"100x200B", 200, 100}, {"100x1KB", 1000, 100}} {
		body := events(in.size, in.n)
		for _, c := range []struct {
			name  string
			parse func([]byte) (int, error)
		}{
			{"engine-event", func(body []byte) (n int, err error) {
				for parser.Reset(body, 1); parser.Next(&ev); n++ {
				}
				return n, parser.Err()
			}},
			{"sonic-get", sonicGet},
			{"sonic-unmarshal-fastest", func(body []byte) (int, error) { return unmarshal(body, sonic.ConfigFastest.Unmarshal) }},
			{"sonic-unmarshal-std", func(body []byte) (int, error) { return unmarshal(body, sonic.ConfigStd.Unmarshal) }},
			{"encoding-json", func(body []byte) (int, error) { return unmarshal(body, json.Unmarshal) }},
			{"encoding-json-map", unmarshalMap},
		} {
			b.Run(in.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if n, err := c.parse(body); err != nil || n != in.n {
						b.Fatalf("%d events, %v", n, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*in.n), "ns/event")
			})
		}
	}
}

func unmarshal(body []byte, decode func([]byte, any) error) (int, error) {
	if body[0] == '{' {
		var e rawEvent
		err := decode(body, &e)
		return 1, err
	}
	var list []rawEvent
	err := decode(body, &list)
	return len(list), err
}

// unmarshalMap is how a program without a schema does it.
func unmarshalMap(body []byte) (int, error) {
	if body[0] == '{' {
		var e map[string]any
		err := json.Unmarshal(body, &e)
		return 1, err
	}
	var list []map[string]any
	err := json.Unmarshal(body, &list)
	return len(list), err
}

// sonicGet takes the fields by path, without decoding the rest.
func sonicGet(body []byte) (int, error) {
	root, err := sonic.Get(body)
	if err != nil {
		return 0, err
	}
	if root.TypeSafe() == ast.V_OBJECT {
		return 1, sonicFields(&root)
	}
	if err := root.LoadAll(); err != nil {
		return 0, err
	}
	n, err := root.Len()
	if err != nil {
		return 0, err
	}
	for i := range n {
		if err := sonicFields(root.Index(i)); err != nil {
			return i, err
		}
	}
	return n, nil
}

func sonicFields(e *ast.Node) error {
	if _, err := e.Get("name").String(); err != nil {
		return err
	}
	if _, err := e.Get("ts").Int64(); err != nil {
		return err
	}
	for _, key := range []string{"data", "user"} {
		if _, err := e.Get(key).Raw(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkChoiceCanonical brings JSON into canonical form: such as is canonical
// already, as everything inside the server is, and such as is not. Only jcs (and,
// with GOEXPERIMENT=jsonv2, jsontext) follows RFC 8785; the others sort keys by
// bytes and print numbers and escapes in ways of their own.
func BenchmarkChoiceCanonical(b *testing.B) {
	for _, in := range canonicalInputs(b) {
		for _, c := range append(canonicalAlternatives, canonicalExperiment...) {
			b.Run(in.name+"/"+c.name, func(b *testing.B) {
				dst := make([]byte, 0, 2*len(in.json))
				b.ReportAllocs()
				b.SetBytes(int64(len(in.json)))
				for b.Loop() {
					out, err := c.append(dst, in.json)
					if err != nil || len(out) == 0 {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

type canonicalInput struct {
	name string
	json []byte
}

func canonicalInputs(b *testing.B) []canonicalInput {
	var in []canonicalInput
	for _, size := range []int{200, 1000} {
		body := events(size, 1)
		canon, err := jcs.Append(nil, body)
		if err != nil {
			b.Fatal(err)
		}
		in = append(in, canonicalInput{fmt.Sprintf("%dB-canonical", size), canon}, canonicalInput{fmt.Sprintf("%dB-other", size), body})
	}
	return in
}

type canonicalAlternative struct {
	name   string
	append func(dst, src []byte) ([]byte, error)
}

var canonicalAlternatives = []canonicalAlternative{
	{"jcs", jcs.Append},
	{"encoding-json", func(dst, src []byte) ([]byte, error) {
		var v any
		if err := json.Unmarshal(src, &v); err != nil {
			return nil, err
		}
		out := bytes.NewBuffer(dst)
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		err := e.Encode(v)
		return out.Bytes(), err
	}},
	{"sonic", func(_, src []byte) ([]byte, error) {
		var v any
		if err := sonicSorted.Unmarshal(src, &v); err != nil {
			return nil, err
		}
		return sonicSorted.Marshal(v)
	}},
}

var sonicSorted = sonic.Config{SortMapKeys: true, NoNullSliceOrMap: true}.Froze()
