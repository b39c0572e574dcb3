package event

import (
	"os"
	"strings"
	"testing"
)

// oddBodies are request bodies that a parser can get wrong.
var oddBodies = []string{
	``, ` `, `[]`, `[`, `[}`, `{`, `{}`, `{ }`, `[{}`, `null`, `[null]`, `[5]`, `[,]`, `[{"name":"a"},]`, `[{"name":"a"},}`,
	`[{"name":"a"}}`, `[{"name":"a"}`, `[{"name":"a"},`, `[{"name":"a"} {"name":"b"}]`, `[{"name":"a"}] x`, `[{"name":"a"},{"na`,
	`{"name":"a"} x`, `{"name":"a"}{"name":"b"}`, "\ufeff{}", "not json", `"x"`, `12`, `}`, `]`, `:`,
	`{"name":"a","name":"b","data":{"a":1},"data":{"b":2}}`, `{"name":"a","name":null}`, `{"NAME":"a","Name":"b"}`,
	`{"name":"a","t\u0073":5}`, "{\"name\":\"a\",\"t\u017f\":5}", "{\"name\":\"a\",\"u\u017fer\":{}}", `{"name":"\u0061\ud83d\ude00\ud800"}`,
	"{\"name\":\"a\xff\"}", "{\"name\":\"a\",\"data\":{\"x\":\"\xff\"}}", `{"na\me":"a"}`, "{\"name\":\"a\nb\"}", `{"name":"a\q"}`, `{"name":"a\u12g4"}`,
	`{"name":"a","data":{"_inngest":{}}}`, `{"name":"a","data":{ "x" : 1 , "_inngest" : 2 , "y":[ ] }}`, `{"name":"a","data":{"_inng\u0065st":1,"b":{"_inngest":1}}}`,
	`{"name":"a","data":{"_inngest":1,"_inngest":2}}`, `{"name":"a","data":{"x":1e400}}`, `{"name":"a","x":1e400}`, `{"name":"a","user":{"x":-1e999}}`,
	`{"name":"a","data":{"x":01}}`, `{"name":"a","data":{"x":-}}`, `{"name":"a","data":{"x":1.}}`, `{"name":"a","data":{"x":.1}}`, `{"name":"a","data":{"x":1e}}`,
	`{"name":"a","data":{"x":-0,"y":1E+2,"z":0.5e-7}}`, `{"name":"a","ts":-0}`, `{"name":"a","ts":1e3}`, `{"name":"a","ts":1.0}`, `{"name":"a","ts":00}`,
	`{"name":"a","ts":9999999999999999999}`, `{"name":"a","ts":9300000000000}`, `{"name":"a","ts":4102444800000}`, `{"name":"a","ts":4102444800001}`,
	`{"name":"a","ts":315532800000}`, `{"name":"a","ts":315532799999}`, `{"name":"a","ts":999999999999999999}`, `{"name":"a","ts":-9223372036854775808}`,
	`{"name":"a","data":null,"user":null,"v":null,"id":null,"ts":null,"meta":null}`, `{"name":"a","data":5,"ts":"x"}`, `{"name":5,"data":5}`,
	`{"name":"a","data":{"x":[1,2,{"y":[true,false,null]}]}}`, `{"name":"a","data":{"x":tru}}`, `{"name":"a","data":{"x":nul`, `{"name":"a","data":{,}}`, `{"name":"a","data":{"a":1,}}`,
	`{"name":"a","data":{"a":[1,]}}`, `{"name":"a","data":{"a"}}`, `{"name":"a","data":{"a":1 "b":2}}`, `{"name":"a","data":{"a":[1 2]}}`, `{"name":"a","data":[`, `{"name":"a",}`, `{"name"`,
	`{"name":"a","meta":{"sessions":{"a":"x","b":5,"c":null},"propagated_sessions":{"a":"p","c":"p","d":"p","e":"p","f":"p","g":"p"}}}`,
	`{"name":"a","meta":{"sessions":null,"propagated_sessions":{"a":"p"}}}`, `{"name":"a","meta":{"sessions":{},"propagated_sessions":{"a":"p"}}}`,
	`{"name":"a","meta":{"sessions":{"a":true}}}`, `{"name":"a","meta":{"sessions":5}}`, `{"name":"a","meta":5}`, `{"name":"a","meta":{"sessions":{"":"x"}}}`, `{"name":"a","meta":{"sessions":{"a":""}}}`,
	`{"name":"a","meta":{"sessions":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1}}}`, `{"name":"a","meta":{"propagated_sessions":{"a":5}}}`, `{"name":"a","meta":{},"meta":{"sessions":{"a":"b"}}}`,
	`{"name":"inngest/x"}`, `{"name":"InNgEsT/x"}`, "{\"name\":\"\u0130nngest/x\"}", `{"name":"inngest"}`, `{"name":"inngest-x/y"}`, `{"id":"","name":"x","v":""}`,
	`{"name":"a","data":{"d":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}}`,
	`{"name":"a","data":{"d":` + strings.Repeat("[", 510) + strings.Repeat("]", 510) + `}}`,
	`{"name":"a","data":{"d":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `}}`,
	`[{"name":"a","data":{"d":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}},{"name":"b"}]`,
	`{"name":"a","data":{"d":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}}`,
	"  \n\t[ {\"name\" : \"a\" , \"data\" : { } } , {\"name\":\"b\"} ]  ",
	`{"name":"a","data":{"n":1` + strings.Repeat("0", 320) + `}}`,
}

// seedBodies returns oddBodies and the bodies of the recorded requests.
func seedBodies(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, s := range oddBodies {
		out = append(out, []byte(s))
	}
	b, err := os.ReadFile("testdata/bodies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(b), "\x00\n") {
		out = append(out, []byte(line))
	}
	return out
}
