package trace

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ingot/engine"
	"ingot/storage/history"
)

// all reads a run in every way and returns the number of spans.
func all(t *testing.T, tr *history.Trace, env Env) int {
	n := 0
	var count func(s *Span)
	count = func(s *Span) {
		n++
		if s.Status == "" || s.SpanID == "" {
			t.Errorf("a span without status or id: %+v", s)
		}
		if s.OutputID != "" {
			OutputOf(tr, env, parse(t, s.OutputID))
		}
		for _, c := range s.Children {
			count(c)
		}
	}
	count(Tree(tr, env))
	if l := Legacy(tr, env); l != nil {
		count(l)
	}
	for _, s := range Steps(tr) {
		if _, _, ok := MemosBefore(tr, s.ID); !ok {
			t.Errorf("the step %q is not found", s.ID)
		}
	}
	History(tr, env)
	Jobs(tr)
	Defers(tr, env)
	DeferredFrom(tr, env)
	HasAI(tr)
	return n
}

var fuzzKinds = []engine.LifecycleKind{
	engine.RunScheduled, engine.RunStarted, engine.RunCompleted, engine.RunFailed, engine.RunCancelled, engine.StepCompleted,
	engine.StepFailed, engine.StepErrored, engine.StepPlanned, engine.StepSleeping, engine.StepWaiting, engine.StepInvoking,
	engine.StepTimedOut, engine.CallStarted, engine.CallEnded, engine.DeferAdded, engine.DeferEnded, engine.StepMetadata, engine.UserSpan, 99,
}

var fuzzPayloads = []string{
	"", "null", "{", `{"data":1}`, `{"error":{"message":"m"}}`, `{"error":7}`, `[{"scope":"run","kind":"k","op":"add","values":{"a":1}}]`,
	`{"id":"00000000000000aa","parent":"00000000000000bb","name":"inngest.execution","start":5,"end":1}`,
	`{"id":"00000000000000bb","parent":"00000000000000aa","name":"u"}`, `{"type":"step.ai.wrap","input":[1]}`,
}

// fuzzRecord makes a record of six bytes. Few jobs and steps make records meet.
func fuzzRecord(b []byte, at int64) engine.Lifecycle {
	return engine.Lifecycle{
		Kind: fuzzKinds[int(b[0])%len(fuzzKinds)], Op: engine.Opcode(b[1] % 17), Flags: engine.LifecycleFlags(b[1] >> 3),
		Job: uint32(b[2] % 4), Attempt: int(b[2]>>2%4) - 1, Step: []string{"", "a", "b", "c"}[b[2]>>4%4], Name: []string{"", "n", "step"}[b[3]%3],
		At: at, Started: int64(b[3]>>2%3) * at, Duration: int64(b[3]) << 18, Due: int64(b[4]%4) * 400, Status: int(b[4]>>2%3) * 206, Count: int(b[4] >> 5),
		Target: []string{"", "00000000000000aa"}[b[5]%2], Payload: []byte(fuzzPayloads[int(b[5])%len(fuzzPayloads)]),
		Input: []byte(fuzzPayloads[int(b[3])%len(fuzzPayloads)]), Meta: []byte(fuzzPayloads[int(b[4])%len(fuzzPayloads)]), Header: b,
	}
}

// FuzzRecords reads arbitrary sequences of records.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("000000"))
	f.Add([]byte("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1200 {
			return
		}
		p := newTape(2)
		p.out = nil
		for at := int64(0); len(b) >= 6; at, b = at+100, b[6:] {
			p.out = append(p.out, fuzzRecord(b[:6], at))
		}
		if n := all(t, p.trace(), p.env); n > 12*len(p.out)+4 {
			t.Errorf("%d spans of %d records", n, len(p.out))
		}
	})
}

// TestMutilated reads the scenarios with records missing, repeated and swapped.
func TestMutilated(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 40 * len(scenarios) {
		p := scenarios[round%len(scenarios)].tape()
		for range 1 + r.IntN(4) {
			i, j := r.IntN(len(p.out)), r.IntN(len(p.out))
			switch r.IntN(4) {
			case 0:
				p.out = p.out[i:]
			case 1:
				p.out = p.out[:i+1]
			case 2:
				p.out = slices.Insert(p.out, j, p.out[i])
			default:
				p.out[i], p.out[j] = p.out[j], p.out[i]
			}
		}
		all(t, p.trace(), p.env)
	}
}

// manySteps is a run of n steps one after another.
func manySteps(n int) *tape {
	p := newTape(4).start().call(1, 0, "")
	for i := range n {
		name := string(rune('a'+i%26)) + string(rune('0'+i/26%75)) + string(rune('0'+i/1950))
		p.answer(206, 100, 1).ran(name, `{"x":1}`).call(uint32(i+2), 0, name)
	}
	return p.completed("1", 1)
}

func BenchmarkTree(b *testing.B) {
	for name, n := range map[string]int{"3 steps": 3, "1000 steps": 1000} {
		b.Run(name, func(b *testing.B) {
			p := manySteps(n)
			tr := p.trace()
			b.ReportAllocs()
			for b.Loop() {
				Tree(tr, p.env)
			}
		})
	}
}

func BenchmarkLegacy(b *testing.B) {
	p := manySteps(3)
	tr := p.trace()
	b.ReportAllocs()
	for b.Loop() {
		Legacy(tr, p.env)
	}
}

func BenchmarkHistory(b *testing.B) {
	p := manySteps(1000)
	tr := p.trace()
	b.ReportAllocs()
	for b.Loop() {
		History(tr, p.env)
	}
}
