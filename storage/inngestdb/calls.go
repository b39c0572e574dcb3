package inngestdb

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"ingot/engine"
)

// job is a call with its attempts: those below one discovery span.
type job struct {
	no        uint32
	discovery *span // nil if it is missing
	calls     []*call
	// planned is the step that it is made for; empty if it finds out what is next.
	planned string
}

// call is one exchange with user code: a span executor.execution.
type call struct {
	*span
	job     *job
	attempt int
	// answer is the fragment that has the response; nil if none came.
	answer *fragment
	ops    []op
}

// op is one of those that an answer brought.
type op struct {
	Code engine.Opcode `json:"-"`
	Op   string        `json:"op"`
	ID   string        `json:"id"`
	// taken says that its step was found.
	taken bool
}

// findCalls numbers the calls by their order, and joins attempts.
func (b *builder) findCalls() {
	jobs := map[string]*job{}
	for _, s := range b.spans {
		if s.name != spanExecution {
			continue
		}
		j := jobs[s.parent]
		if j == nil {
			j = &job{no: uint32(len(b.jobs) + 1), discovery: b.byID[s.parent]}
			jobs[s.parent] = j
			b.jobs = append(b.jobs, j)
		}
		c := &call{span: s, job: j, attempt: int(s.attrs.number("step.attempt"))}
		for _, f := range s.fragments {
			if st := f.status(); c.answer == nil && (st == "Completed" || st == "Failed" || f.attrs.text("response.status_code") != "") {
				c.answer = f
			}
		}
		c.ops = b.ops(s)
		j.calls = append(j.calls, c)
		b.calls = append(b.calls, c)
	}
	planned := map[string]bool{}
	for _, s := range b.spans {
		if s.name == spanStep && s.has("Queued") != nil {
			planned[s.attrs.text("step.id")] = true
		}
	}
	for _, c := range b.calls {
		for i := range c.ops {
			if o := &c.ops[i]; !o.Code.Plan() && planned[o.ID] {
				c.job.planned = o.ID
			}
		}
	}
}

// ops reads what an answer brought. A few releases wrote the only op as the span's step.
func (b *builder) ops(s *span) []op {
	var ops []op
	if !s.attrs.object("response.step.ops", &ops) && s.attrs.text("step.id") != "" {
		ops = []op{{Op: s.attrs.text("step.op"), ID: s.attrs.text("step.id")}}
	}
	for i := range ops {
		ops[i].Code, _ = engine.ParseOpcode(ops[i].Op)
	}
	return ops
}

// startedAt and endedAt are unix ms. A later fragment's started_at is that of a step.
func (c *call) startedAt() int64 {
	return cmp.Or(c.fragments[0].attrs.time("started_at"), millis(c.start()))
}

func (c *call) endedAt() int64 {
	return max(c.startedAt(), cmp.Or(c.answer.attrs.time("ended_at"), millis(c.answer.start)))
}

// end is the place of the answer, unix ns.
func (c *call) end() int64 {
	if c.answer == nil {
		return c.start()
	}
	return max(c.answer.start, c.start())
}

// due is when the next attempt was to be made, unix ms; 0 if there was none.
func (c *call) due() int64 {
	for _, next := range c.job.calls {
		if next.attempt == c.attempt+1 {
			first := next.fragments[0].attrs
			return cmp.Or(first.time("scheduled_at"), first.time("queued_at"), next.startedAt())
		}
	}
	return 0
}

// call tells of one exchange.
func (b *builder) call(c *call) {
	started := engine.Lifecycle{Kind: engine.CallStarted, At: c.startedAt(), Job: c.job.no, Attempt: c.attempt, Step: c.job.planned}
	if started.Step == "" {
		started.Flags, started.Step = engine.FlagDiscovery, b.cause(c.job)
	}
	b.add(c.start(), started)
	if c.answer == nil {
		return
	}
	attrs := c.attrs
	ended := engine.Lifecycle{
		Kind: engine.CallEnded, At: c.endedAt(), Job: c.job.no, Attempt: c.attempt, Count: len(c.ops),
		Started: started.At, Duration: (c.endedAt() - started.At) * 1e6,
		Status: int(attrs.number("response.status_code")), Size: int(attrs.number("response.output_size")), Header: header(attrs),
	}
	if attrs.flag("is.function.output") {
		ended.Flags = engine.FlagOutput
	}
	if c.has("Failed") != nil && len(c.ops) == 0 {
		err := c.output
		if inner := member(err, "error"); inner != nil {
			err = inner
		}
		ended.Name, ended.Payload, ended.Due = errorText(err), err, c.due()
	}
	b.add(c.end(), ended)
}

// hexID finds the ids of spans in links, whose form differs between releases.
var hexID = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// cause is the step whose end led to a call; empty for the first call.
func (b *builder) cause(j *job) string {
	if j.no == 1 {
		return ""
	}
	if j.discovery != nil {
		for _, f := range j.discovery.fragments {
			for _, id := range hexID.FindAllString(f.links, -1) {
				if s := b.byID[id]; s != nil && (s.name == spanStep || s.name == spanExecution) && s.attrs.text("step.id") != "" {
					return s.attrs.text("step.id")
				}
			}
		}
	}
	cause := ""
	for _, e := range b.ends {
		if e.at <= j.calls[0].start() {
			cause = e.step
		}
	}
	return cause
}

// stepEnd is when a step was done, unix ns.
type stepEnd struct {
	at   int64
	step string
}

// findEnds finds when steps ended.
func (b *builder) findEnds() {
	for _, s := range b.spans {
		if s.name != spanStep {
			continue
		}
		if f := s.has("Completed", "Failed", "TimedOut"); f != nil {
			b.ends = append(b.ends, stepEnd{f.start, s.attrs.text("step.id")})
		}
	}
	slices.SortStableFunc(b.ends, func(a, b stepEnd) int { return cmp.Compare(a.at, b.at) })
}

// header makes header lines of response.headers, an object whose values are texts or
// arrays of them.
func header(attrs attributes) []byte {
	var all map[string]json.RawMessage
	if !attrs.object("response.headers", &all) {
		return nil
	}
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var one string
		var list []string
		if json.Unmarshal(all[name], &one) == nil {
			list = []string{one}
		} else if json.Unmarshal(all[name], &list) != nil {
			continue
		}
		for _, v := range list {
			out = append(out, name+": "+v+"\r\n"...)
		}
	}
	return out
}

// errorText is what an error object says; never empty.
func errorText(err []byte) string {
	for _, key := range []string{"message", "name"} {
		var text string
		if raw := member(err, key); raw != nil && json.Unmarshal(raw, &text) == nil && text != "" {
			return text
		}
	}
	return "error"
}
