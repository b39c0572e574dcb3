package wire

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/jcs"
)

// loadOps returns recorded bodies of 206 and 201 answers, one or two of each kind.
func loadOps(t testing.TB) (out []string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/ops.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestParseOps(t *testing.T) {
	t.Parallel()
	ops, err := ParseOps([]byte(` [
		{"op":"StepRun","id":"86f7","name":"n","displayName":"Shown \"x\"","opts":{"type":"step.run","parallelMode":"race","input":[1]},
		 "data":{"b":1.0,"a":[]},"timing":{"a":1754300000000000000,"b":1500},"userland":{"id":"u"},"metadata":[{"kind":"k"}],"mode":"sync"},
		{"op":"steperror","id":"e","error":{"name":"E","message":"m","stack":"s","code":"X","__serialized":true,"data":null,"cause":{"z":1,"a":2},"noRetry":true}},
		{"op":"Sleep","id":"s","name":"1m","displayName":null,"opts":null,"error":null,"data":null},
		{"id":"none"}
	] `))
	if err != nil {
		t.Fatal(err)
	}
	if len(ops) != 4 {
		t.Fatalf("got %d operations", len(ops))
	}
	a := ops[0]
	if a.Code != engine.OpStepRun || a.ID != "86f7" || a.Name != "n" || a.DisplayName != `Shown "x"` || !a.Race ||
		string(a.Data) != `{"a":[],"b":1}` || string(a.Opts) != `{"input":[1],"parallelMode":"race","type":"step.run"}` ||
		a.TimingStart != 1754300000000000000 || a.TimingDuration != 1500 || string(a.Userland) != `{"id":"u"}` || string(a.Metadata) != `[{"kind":"k"}]` || a.Error != nil {
		t.Errorf("first operation: %+v", a)
	}
	if b := ops[1]; b.Code != engine.OpStepError || string(b.Error) != `{"cause":{"a":2,"z":1},"message":"m","name":"E","noRetry":true,"stack":"s"}` || b.Data != nil {
		t.Errorf("second operation: %+v %s", b, b.Error)
	}
	if c := ops[2]; c.Code != engine.OpSleep || c.Name != "1m" || c.Opts != nil || c.Error != nil || string(c.Data) != "null" || c.Race {
		t.Errorf("third operation: %+v", c)
	}
	if ops[3].Code != engine.OpNone {
		t.Errorf("fourth operation: %+v", ops[3])
	}
}

func TestParseOpsErrors(t *testing.T) {
	t.Parallel()
	big := `"` + strings.Repeat("x", MaxStepBytes) + `"`
	const reading = "error reading generator opcode response: "
	cases := []struct{ name, in, want string }{
		{"empty", " \n", "no response data"},
		{"null", "null", reading + "expected JSON object or array"},
		{"garbage", "zzz", reading + "expected JSON object or array"},
		{"cut", `[{"op":`, reading + "unexpected end of JSON input"},
		{"too deep", strings.Repeat("[", 1001) + strings.Repeat("]", 1001), reading + "invalid JSON at byte 1000: nested too deeply"},
		{"unknown opcode", `[{"op":"Nope","id":"x"}]`, reading + "Nope does not belong to Opcode values"},
		{"opcode of another type", `{"op":5}`, reading + "Opcode should be a string, got 5"},
		{"null element", `[{"op":"None"},null,null]`, "error validating generator opcode 1: opcode cannot be null"},
		{"element of another type", `[true]`, reading + "json: cannot unmarshal bool into Go value of type GeneratorOpcode"},
		{"nested array", `[[]]`, reading + "json: cannot unmarshal array into Go value of type GeneratorOpcode"},
		{"id of another type", `{"op":"StepRun","id":7}`, reading + "json: cannot unmarshal number into Go struct field GeneratorOpcode.id of type string"},
		{"name of another type", `{"name":{}}`, reading + "json: cannot unmarshal object into Go struct field GeneratorOpcode.name of type string"},
		{"display name of another type", `{"displayName":[]}`, reading + "json: cannot unmarshal array into Go struct field GeneratorOpcode.displayName of type string"},
		{"error of another type", `{"op":"StepFailed","error":"boom"}`, reading + "json: cannot unmarshal string into Go struct field GeneratorOpcode.error of type UserError"},
		{"error's name of another type", `{"op":"StepFailed","error":{"name":1}}`, reading + "json: cannot unmarshal number into Go struct field GeneratorOpcode.error.name of type string"},
		{"error's message of another type", `{"op":"StepFailed","error":{"message":1}}`, reading + "json: cannot unmarshal number into Go struct field GeneratorOpcode.error.message of type string"},
		{"error's stack of another type", `{"op":"StepFailed","error":{"stack":1}}`, reading + "json: cannot unmarshal number into Go struct field GeneratorOpcode.error.stack of type string"},
		{"step error without error", `[{"op":"StepError","id":"x"}]`, "OpcodeStepError received without Error field set: x"},
		{"large output", `[{"op":"StepRun","id":"x","data":` + big + `}]`, "error validating generator opcode x: step output size is greater than the limit"},
		{"large input", `{"op":"StepRun","id":"x","opts":{"input":[` + big + `]}}`, "error validating generator opcode x: step input size is greater than the limit"},
		{"large AI body", `{"op":"AIGateway","id":"x","opts":{"body":` + big + `}}`, "error validating generator opcode x: step input size is greater than the limit"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseOps([]byte(c.in))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := ParseOps([]byte(`{"op":"StepRun","id":"x","opts":{"other":` + big + `}}`)); err != nil {
		t.Errorf("options that are no input are limited: %v", err)
	}
}

func TestParseOpArray(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 0, " null ": 0, "[]": 0, `[{"op":"StepRun","id":"a"},{"op":"StepRun","id":"b"}]`: 2, `{"op":"StepRun","id":"a"}`: 1} {
		ops, err := ParseOpArray([]byte(in))
		if err != nil || len(ops) != want {
			t.Errorf("%q: got %d operations, %v", in, len(ops), err)
		}
	}
	if _, err := ParseOpArray([]byte(`"x"`)); err == nil {
		t.Error("a string passes")
	}
}

// The response's determination replaces `noRetry` of a StepError, and of nothing else.
func TestNoRetryOfStepErrors(t *testing.T) {
	t.Parallel()
	body := []byte(`[{"op":"StepError","id":"a","error":{"name":"E","message":"m","noRetry":true}},{"op":"StepFailed","id":"b","error":{"noRetry":true}}]`)
	for mode, want := range map[noRetryMode]string{
		keepNoRetry: `{"message":"m","name":"E","noRetry":true}`, clearNoRetry: `{"message":"m","name":"E"}`, setNoRetry: `{"message":"m","name":"E","noRetry":true}`,
	} {
		ops, err := parseOps(body, mode)
		if err != nil {
			t.Fatal(err)
		}
		if string(ops[0].Error) != want || string(ops[1].Error) != `{"message":"","name":"","noRetry":true}` {
			t.Errorf("mode %d: %s and %s", mode, ops[0].Error, ops[1].Error)
		}
	}
}

func TestRecordedOpsParse(t *testing.T) {
	t.Parallel()
	for _, in := range loadOps(t) {
		if strings.HasPrefix(strings.TrimSpace(in), `{"status"`) {
			continue
		}
		if _, err := ParseOps([]byte(in)); err != nil && !strings.Contains(in, "Nope") && !strings.Contains(in, "null") && in != "zzz" {
			t.Errorf("%.80s: %v", in, err)
		}
	}
}

func TestParseOpsAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	body := []byte(`[{"id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","op":"StepRun","name":"a","displayName":"a","data":{"n":1},"timing":{"a":1,"b":2}}]`)
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseOps(body) }); n > 2 {
		t.Errorf("%v allocations, want the document and the operations", n)
	}
}

func FuzzParseOps(f *testing.F) {
	for _, s := range loadOps(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ops, err := ParseOps(in)
		if err != nil {
			return
		}
		if ops == nil {
			t.Fatal("no operations and no error")
		}
		for _, op := range ops {
			for _, raw := range [][]byte{op.Data, op.Opts, op.Error, op.Userland, op.Metadata} {
				if raw != nil && !jcs.Canonical(raw) {
					t.Fatalf("not canonical: %q", raw)
				}
			}
		}
	})
}

func BenchmarkParseOps(b *testing.B) {
	body := []byte(`[{"displayName":"step-1","id":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","name":"step-1","op":"StepRun","opts":{"type":"step.run"},"data":{"n":1,"text":"some output"},"userland":{"id":"step-1"}}]`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseOps(body); err != nil {
			b.Fatal(err)
		}
	}
}
