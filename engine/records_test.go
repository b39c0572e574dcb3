package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

func sampleRun() *run {
	return &run{
		id: ulid.ULID{1, 2, 3}, fn: ids.UUIDv5([]byte("f")), reqVersion: 2, forcePlan: true, startedAt: 5, score: -7,
		stateSize: 1 << 33, nextJob: 9, redrives: 1, maxAttempts: 3, pending: []string{"a", "b"}, correlations: []string{"r.s"},
		jobs: []job{
			{id: 1, kind: jobDiscovery, state: jobReady, attempt: 2, faults: 2, gen: 3, step: "s"},
			{id: 2, kind: jobWait, state: jobTimed, due: 77, step: "w", name: "n", event: "e", expr: "true", race: true},
			{id: 3, kind: jobSignal, state: jobTimed, due: 78, step: "g", signal: "sig"},
			{id: 4, kind: jobGateway, state: jobReady, step: "h", opts: []byte(`{}`), ai: true, origin: jobPlanned, originStep: "o"},
			{id: 5, kind: jobPlanned, state: jobReady, step: "p", originStep: "o"},
			{id: 6, kind: jobCancelOn, state: jobIdle, due: 1, event: "c", expr: ""},
		},
		defers: []deferred{{id: "d", slug: "x", input: []byte(`{}`), meta: []byte(`{"a":1}`), state: deferAborted}},
		sync:   &syncInfo{method: "GET", url: "http://x", contentType: "a/b", body: []byte("z")},
		events: [][]byte{[]byte(`{"name":"a"}`), []byte(`{"name":"b"}`)},
		steps:  []Step{{ID: "s", Memo: []byte("1")}, {ID: "t", Memo: []byte(`{"data":2}`)}}, followed: []bool{true, false},
		stored: true,
	}
}

func encodeRun(r *run) []byte {
	var e encoder
	e.run(r)
	return e.b
}

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	want := sampleRun()
	got, err := decodeRun(want.id, encodeRun(want), &keySets{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("run: %+v, want %+v (%v)", got, want, err)
	}
	// A call under way is stored as ready: after a restart it is made again.
	want.jobs[0].state = jobInFlight
	if got, _ = decodeRun(want.id, encodeRun(want), &keySets{}); got.jobs[0].state != jobReady {
		t.Errorf("in-flight job stored as %d", got.jobs[0].state)
	}
	m := message{kind: msgInvokeDone, flag: true, to: 7, run: ulid.ULID{9}, job: 4, step: "s", body: []byte("b")}
	var e encoder
	e.message(&m)
	if _, err := decodeMessage(e.b, 7); err == nil {
		t.Error("a message to a partition that does not exist is read")
	}
	if got, err := decodeMessage(e.b, 8); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("message: %+v, want %+v (%v)", got, m, err)
	}
	e.b = nil
	e.step(Step{ID: "s", Memo: []byte("1")}, true)
	if s, followed, err := decodeStep(e.b); err != nil || !followed || s.ID != "s" || string(s.Memo) != "1" {
		t.Errorf("step: %+v %t (%v)", s, followed, err)
	}
	e.b = nil
	e.triggers([][]byte{[]byte("a"), []byte("bc")})
	if ev, err := decodeTriggers(e.b); err != nil || len(ev) != 2 || string(ev[1]) != "bc" {
		t.Errorf("triggers: %q (%v)", ev, err)
	}
}

// TestReadsOldRunRecords reads the record that version 1 wrote of sampleRun.
func TestReadsOldRunRecords(t *testing.T) {
	t.Parallel()
	old, err := hex.DecodeString("010eca1171e88b55e093d9964bc979ba6a0000000000000000000000000000000004030a0d80808080400901030002016101620103722e73060101" +
		"0002030001730002041100009a010177016e0165047472756503060100009c0101670003736967040720000000016800027b7d02016f050200000000017000016f06080200000200" +
		"000163000101640178027b7d077b2261223a317d010347455408687474703a2f2f7803612f62017a")
	if err != nil {
		t.Fatal(err)
	}
	want := sampleRun()
	want.events, want.steps, want.followed, want.apart = nil, nil, nil, true // they had keys of their own
	want.jobs[0].faults = 0                                                  // were not counted
	if got, err := decodeRun(want.id, old, &keySets{}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v (%v)", got, want, err)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	t.Parallel()
	whole := encodeRun(sampleRun())
	for n := range whole {
		if _, err := decodeRun(ulid.ULID{}, whole[:n], &keySets{}); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(whole))
		}
	}
	newer := append([]byte{runVersion + 1}, whole[1:]...)
	if _, err := decodeRun(ulid.ULID{}, newer, &keySets{}); err == nil {
		t.Error("a newer record decodes")
	}
}

// FuzzDecodeRecords checks that no stored bytes make a decoder panic or ask for
// more memory than they have, and that what decodes is encoded the same again.
func FuzzDecodeRecords(f *testing.F) {
	f.Add(encodeRun(sampleRun()))
	var e encoder
	e.message(&message{kind: msgEvent, body: []byte("x")})
	f.Add(e.b)
	e.b = nil
	e.byte(outboxVersion)
	e.lifecycle(sampleLifecycle(), nil)
	f.Add(e.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRun(ulid.ULID{}, b, &keySets{}); err == nil && r.saved == 0 {
			again := encodeRun(r)
			if r2, err := decodeRun(ulid.ULID{}, again, &keySets{}); err != nil || !bytes.Equal(encodeRun(r2), again) {
				t.Errorf("not stable: %x then %x (%v)", b, again, err)
			}
		}
		_, _ = decodeMessage(b, 8)
		_, _, _ = decodeStep(b)
		_, _ = decodeTriggers(b)
		_ = DecodeLifecycle(b, func(*Lifecycle) error { return nil })
	})
}

func TestParseOpcode(t *testing.T) {
	t.Parallel()
	for i := range opcodeNames {
		if got, ok := ParseOpcode(opcodeNames[i]); !ok || got != Opcode(i) || got.String() != opcodeNames[i] {
			t.Errorf("%s: %v %t", opcodeNames[i], got, ok)
		}
	}
	if got, ok := ParseOpcode("stepRUN"); !ok || got != OpStepRun {
		t.Errorf("stepRUN: %v %t", got, ok)
	}
	if _, ok := ParseOpcode("StepNotFound"); ok {
		t.Error("StepNotFound is no opcode of this server")
	}
}

func TestAttemptError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ output, text, code, want string }{
		{``, "", "", `{"error":"Function execution error","message":"Function execution error","name":"Error"}`},
		{`{"name":"E","message":"m","stack":"s","cause":{"a":1}}`, "invalid status code: 500", "", `{"cause":{"a":1},"error":"invalid status code: 500","message":"m","name":"E","stack":"s"}`},
		{`{"error":{"name":"Inner","message":"im"}}`, "x", "", `{"error":"x","message":"im","name":"Inner"}`},
		{`{"body":"{\"name\":\"B\",\"message\":\"bm\"}"}`, "x", "", `{"error":"x","message":"bm","name":"B"}`},
		{`{"error":"plain","message":"m"}`, "x", "", `{"error":"plain","message":"m","name":"Error"}`},
		{`"just text"`, "x", "", `{"error":"x","message":"just text","name":"Error"}`},
		{`null`, "x", "", `{"error":"x","message":"x","name":"Error"}`},
	} {
		got := attemptError(&Result{Output: []byte(c.output), Error: c.text, ErrorCode: c.code}).json()
		if string(got) != c.want {
			t.Errorf("%s, %s: %s, want %s", c.output, c.text, got, c.want)
		}
	}
}

// TestStepOrder: a run keeps the order of its steps' ids while they are added, also
// when it is read from the store in two parts.
func TestStepOrder(t *testing.T) {
	t.Parallel()
	var r run
	for i := range 300 {
		r.addStep(Step{ID: ids.Hash36([]byte{byte(i), byte(i >> 8)})}, true)
		if want := len(r.steps) * int(b2u(len(r.steps) >= indexFrom)); len(r.order) != want {
			t.Fatalf("%d steps in order of %d", len(r.order), want)
		}
	}
	for n := 1; n < len(r.order); n++ {
		if a, b := r.steps[r.order[n-1]].ID, r.steps[r.order[n]].ID; a >= b {
			t.Errorf("%s comes before %s", a, b)
		}
	}
	var stack []string
	if err := json.Unmarshal([]byte("["+string(r.stack)+"]"), &stack); err != nil || len(stack) != len(r.steps) {
		t.Fatalf("a stack of %d: %v", len(stack), err)
	}
	for i := range r.steps {
		if r.find(r.steps[i].ID) != i || stack[i] != r.steps[i].ID {
			t.Errorf("step %d is found at %d, in the stack is %s", i, r.find(r.steps[i].ID), stack[i])
		}
	}
}

// TestFlowControlRoundTrip writes and reads what records say of flow control.
func TestFlowControlRoundTrip(t *testing.T) {
	t.Parallel()
	keys := newKeySet([]limitKey{{expr: 7, id: flowID{1}}, {expr: 8, id: flowID{2}}})
	for name, set := range map[string]func(*run){
		"keys of a guest": func(r *run) { r.keys = keys },
		"its lane":        func(r *run) { r.keys, r.line = keys, lineLane },
		"first calls":     func(r *run) { r.keys, r.line = keys, lineStart },
		"without keys":    func(r *run) { r.line = lineStart },
		"one key":         func(r *run) { r.keys = newKeySet(keys.keys[1:]) },
		"a lock":          func(r *run) { r.limits = &runLimits{lock: flowID{3}} },
		"a place":         func(r *run) { r.keys, r.limits = keys, &runLimits{slot: flowID{4}} },
		"a lost place":    func(r *run) { r.keys, r.line, r.limits = keys, lineStart, &runLimits{displaced: true} },
	} {
		want := sampleRun()
		set(want)
		got, err := decodeRun(want.id, encodeRun(want), &keySets{})
		if err != nil || got.line != want.line || !reflect.DeepEqual(got.limits, want.limits) || (got.keys == nil) != (want.keys == nil) || got.keys != nil && !slices.Equal(got.keys.keys, want.keys.keys) {
			t.Errorf("%s: %+v, want %+v (%v)", name, got, want, err)
		}
	}
}

// TestReadsOldLanes reads records of before lines, which named the lane; one that is not
// that of the run's keys is damage.
func TestReadsOldLanes(t *testing.T) {
	t.Parallel()
	keys := []limitKey{{expr: 7, id: flowID{1}}}
	old := func(lane laneID) []byte {
		r := sampleRun()
		r.keys = newKeySet(keys)
		before, after, _ := bytes.Cut(encodeRun(r), append(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 7}, keys[0].id[:]...), 0))
		e := encoder{b: bytes.Clone(before)}
		e.uint(1)
		e.b = appendUint64(e.b, 7)
		e.id(keys[0].id)
		e.byte(hasLane)
		e.id(lane)
		return append(e.b, after...)
	}
	for want, lane := range map[line]laneID{
		// What laneOf gave then.
		lineLane:  laneID{0x67, 0x4b, 0x9d, 0x1c, 0x85, 0xe7, 0xd1, 0x32, 0xec, 0xb2, 0x71, 0xdf, 0xa7, 0x71, 0xe6, 0x1f},
		lineStart: laneID{0x79, 0xbe, 0xa3, 0xa4, 0xff, 0x61, 0x57, 0xed, 0xe3, 0x59, 0xa2, 0xea, 0x63, 0x11, 0x2a, 0x90},
	} {
		if r, err := decodeRun(sampleRun().id, old(lane), &keySets{}); err != nil || r.line != want {
			t.Errorf("lane %x: line %d, want %d (%v)", lane, r.line, want, err)
		}
	}
	if _, err := decodeRun(sampleRun().id, old(laneID{1}), &keySets{}); err == nil {
		t.Error("a lane of other keys is read")
	}
}

// TestKeySetsAreShared gives runs of the same keys one set, and others their own.
func TestKeySetsAreShared(t *testing.T) {
	t.Parallel()
	var sets keySets
	share := func(expr uint64, value ...byte) *keySet {
		keys := sets.room(1)
		keys[0] = limitKey{expr: expr, id: flowID(append(value, make([]byte, 16-len(value))...))}
		return sets.share(keys)
	}
	a := share(1, 1, 2)
	if share(1, 1, 2) != a {
		t.Error("the same keys are not shared")
	}
	for _, other := range []*keySet{share(1, 1, 2, 3), share(2, 1, 2), share(1, 2, 1)} { // the first two in its place
		if other == a || slices.Equal(other.keys, a.keys) {
			t.Errorf("%v and %v share a set", other.keys, a.keys)
		}
	}
	if a.keys[0].id != (flowID{1, 2}) || a.laneID(false) == a.laneID(true) || a.laneID(false) != laneOf(a.keys, false) || a.laneID(true) != laneOf(a.keys, true) {
		t.Errorf("%+v", a)
	}
}
