package app

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ingot/loadgen/flow"
)

// reply is a prepared answer.
type reply struct {
	status int
	body   []byte
}

// program is a function with its answers prepared: an answer is a status and bytes
// that are not copied.
type program struct {
	Behaviour
	slug    string
	steps   []reply // answer of step i: it ran, sleeps or waits
	failed  []reply // answer of step i when it fails
	plan    reply   // of a fan-out
	retry   []byte  // value of Retry-After for failed
	result  reply
	ops     [][]byte       // the op of step i, without brackets, for checkpoints
	branch  map[string]int // step id on the wire to its number
	invoke  []byte         // beginning of an invoke op, up to the mark
	flow    *flow.Function // nil if it has no flow control
	pending reply          // of a discovery in the midst of a fan-out: nothing to do
}

const (
	heldFor = 24 * time.Hour
	// waitTimeout is longer than any measurement.
	waitTimeout = "24h"
	result      = `{"ok":true}`
)

func compile(appName string, f Function) *program {
	p := &program{Behaviour: f.Behaviour, slug: Slug(appName, f.ID), result: reply{200, []byte(result)},
		pending: reply{206, []byte(`[]`)}, branch: map[string]int{}}
	p.retry = fmt.Appendf(nil, "%d", max(1, int64(p.RetryAfter/time.Second)))
	output, _ := json.Marshal(strings.Repeat("x", max(0, p.Output-2))) // letters: cannot fail
	var plans []string
	for i := range p.Positions() {
		name := fmt.Sprintf("step-%d", i)
		id := stepID(name)
		p.branch[id] = i
		op := p.op(id, name, output)
		p.ops = append(p.ops, []byte(op))
		p.steps = append(p.steps, reply{206, []byte("[" + op + "]")})
		p.failed = append(p.failed, reply{206, fmt.Appendf(nil,
			`[{"op":"StepError","id":"%s","name":"%s","displayName":"%[2]s","error":{"name":"Error","message":"fails on purpose","stack":"Error"}}]`, id, name)})
		plans = append(plans, fmt.Sprintf(`{"op":"StepPlanned","id":"%s","name":"%s","displayName":"%[2]s"}`, id, name))
	}
	p.plan = reply{206, []byte("[" + strings.Join(plans, ",") + "]")}
	if p.Kind == Checkpoint {
		p.result = reply{206, fmt.Appendf(nil, `[{"op":"RunComplete","id":"%s","data":%s}]`, stepID("complete"), result)}
	}
	if p.Kind == Invokes {
		p.invoke = fmt.Appendf(nil, `[{"op":"InvokeFunction","id":"%s","name":"step-0","displayName":"step-0","opts":{"function_id":"%s","timeout":"%s","payload":{"data":{"lg":{"s":`,
			stepID("step-0"), p.Child, waitTimeout)
	}
	return p
}

// op is the op that reports step id.
func (p *program) op(id, name string, output []byte) string {
	head := fmt.Sprintf(`"id":"%s","displayName":"%s"`, id, name)
	switch p.Kind {
	case Sleeps, HeldSleep:
		d := p.Sleep
		if p.Kind == HeldSleep {
			d = heldFor
		}
		return fmt.Sprintf(`{"op":"Sleep",%s,"name":"%s","opts":{"duration":"%[2]s"}}`, head, d)
	case Waits, HeldWait:
		return fmt.Sprintf(`{"op":"WaitForEvent",%s,"name":"%s","opts":{"event":"%[2]s","timeout":"%s","if":"event.data.key == async.data.key"}}`,
			head, p.WaitEvent, waitTimeout)
	default:
		return fmt.Sprintf(`{"op":"StepRun",%s,"name":"%s","data":%s}`, head, name, output)
	}
}

// stepID is the id of a step on the wire (spec 01 §1.3).
func stepID(name string) string {
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}
