package engine_test

import (
	"fmt"
	"slices"
	"strings"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

// What became of each event, compared with a model of the rules for starting runs.

// flowArrival is an event that a function's partition took, in a round that no crash
// has undone.
type flowArrival struct {
	log  int
	seq  uint64
	hist uint64 // key of the round's lifecycle records
	at   int64
	gen  int
	id   ulid.ULID
	user string // the id that its sender gave, if any
	ts   int64
	data flowData
	fns  []*flowFn
	// draining are those of fns that start nothing new.
	draining []*flowFn
}

// arrive notes an event that a round is about to take.
func (w *flowWorld) arrive(a engine.Arrival) {
	data, err := flowEvents([]byte(`{"data":` + string(a.Event.Data) + `}`))
	if err != nil {
		w.errorf("event %s: %v", a.Event.InternalID, err)
		return
	}
	w.events[a.Event.InternalID], w.stamps[a.Event.InternalID] = data[0], a.Event.TS
	fa := flowArrival{log: a.Log, seq: a.Seq, hist: a.History, at: w.now, gen: w.gen,
		id: a.Event.InternalID, user: string(a.Event.ID), ts: a.Event.TS, data: data[0]}
	for _, id := range a.Fns {
		f := w.byID[id]
		fa.fns = append(fa.fns, f)
		if f.mode == engine.ModeDraining {
			fa.draining = append(fa.draining, f)
		}
	}
	w.arrivals[a.Partition] = append(w.arrivals[a.Partition], fa)
}

func (w *flowWorld) verify() {
	for _, r := range w.ledger.active() {
		w.errorf("%s has not ended", r)
	}
	for _, f := range w.fns {
		w.verifyFn(f)
	}
	w.checkInvocations()
	for _, s := range engine.Leftovers(w.store) {
		w.errorf("left in the store: %s", s)
	}
	if s := w.node.InMemory(); s != "" {
		w.errorf("left in memory: %s", s)
	}
}

// flowModel is the model of one function.
type flowModel struct {
	w          *flowWorld
	f          *flowFn
	remembered map[string]bool // ids of events
	rates      map[string]*flowRate
	groups     map[string][]flowMember // debounced and batched events, by key
	order      []string
}

// flowMember is an event that was collected, with its fate.
type flowMember struct {
	flowArrival
	fate flowFate
}

func (w *flowWorld) verifyFn(f *flowFn) {
	m := &flowModel{w: w, f: f, remembered: map[string]bool{}, rates: map[string]*flowRate{}, groups: map[string][]flowMember{}}
	seen := map[int]bool{}
	for _, list := range w.arrivals {
		for _, a := range list {
			if slices.Contains(a.fns, f) {
				seen[a.data.N] = true
				m.event(a)
			}
		}
	}
	for _, key := range m.order {
		if strings.HasPrefix(key, "batch") {
			m.checkBatches(key)
		} else {
			m.checkDebounces(key)
		}
	}
	for key := range w.ledger.fates {
		if key.fn == f && !seen[key.n] {
			w.errorf("event %d of %s has a fate, but never arrived", key.n, f.slug)
		}
	}
	for n, ev := range w.sent {
		matches := ev.name == f.trigger || f.trigger == "e/*" && strings.HasPrefix(ev.name, "e/")
		if ev.acked && matches && !seen[n] {
			w.errorf("acknowledged event %d never came to %s", n, f.slug)
		}
	}
}

// event follows one event through the rules, in their order (spec 03 §21).
func (m *flowModel) event(a flowArrival) {
	fates := m.w.ledger.fates[flowFateKey{m.f, a.data.N}]
	if len(fates) != 1 {
		m.w.errorf("event %d of %s has %d fates, want one", a.data.N, m.f.slug, len(fates))
		return
	}
	fate := fates[0]
	if m.f.failed {
		return // what the rules say of the events that come after is not known
	}
	if slices.Contains(a.draining, m.f) {
		m.want(a, fate, engine.SkipDraining)
		return
	}
	c := m.f.at(a.gen)
	if a.user != "" && c.debounce == nil && m.remembered[a.user] {
		m.want(a, fate, engine.SkipIdempotency)
		return
	}
	if c.batch.takes(a.data) {
		m.remember(c, a)
		m.collect("batch|"+c.batch.key.src+"|"+c.batch.key.value(a.data), a, fate)
		return
	}
	if !m.admitted(c, a, fate) {
		m.want(a, fate, engine.SkipRateLimit)
		return
	}
	if d := c.debounce; d != nil {
		m.collect("debounce|"+d.key.src+"|"+d.key.value(a.data), a, fate)
		return
	}
	m.remember(c, a)
	if fate.reason != engine.SkipSingleton { // the ledger has checked those
		m.want(a, fate, "")
	}
	if fate.rec.At != a.at {
		m.w.errorf("event %d of %s started %s %d ms after it came", a.data.N, m.f.slug, fate.run, fate.rec.At-a.at)
	}
}

func (m *flowModel) want(a flowArrival, fate flowFate, reason string) {
	if fate.reason != reason {
		m.w.errorf("event %d of %s, which came at +%d ms, ended as %q, want %q", a.data.N, m.f.slug, a.at-flowStart, fate.reason, reason)
	}
}

func (m *flowModel) remember(c *flowConfig, a flowArrival) {
	if a.user != "" && c.debounce == nil {
		m.remembered[a.user] = true
	}
}

func (m *flowModel) collect(key string, a flowArrival, fate flowFate) {
	if m.groups[key] == nil {
		m.order = append(m.order, key)
	}
	m.groups[key] = append(m.groups[key], flowMember{a, fate})
}

// admitted reports whether the rate limit admits an event. What the model leaves open
// is as the engine decided it.
func (m *flowModel) admitted(c *flowConfig, a flowArrival, fate flowFate) bool {
	r := c.rate
	if r == nil {
		return true
	}
	value := r.key.value(a.data)
	if r.key.exempts(value) {
		return true
	}
	name := r.key.src + "|" + value
	g := m.rates[name]
	if g == nil {
		g = &flowRate{}
		m.rates[name] = g
	}
	g.follow(m.f, c, func(c *flowConfig) *rate { return c.rate })
	ok := g.mustAdmit(a.at-m.w.back, r) || g.mayAdmit(a.at+m.w.back, r) && fate.reason != engine.SkipRateLimit
	if ok {
		g.admit(a.at, r, true)
	}
	return ok
}

// checkDebounces checks one key's events: each quiet period gives one run, with the
// newest event, at the right time.
func (m *flowModel) checkDebounces(key string) {
	var group []flowMember
	fired := func() *flowFate {
		for i := range group {
			if group[i].fate.reason != engine.SkipDebounce {
				return &group[i].fate
			}
		}
		return nil
	}
	for _, e := range m.groups[key] {
		if f := fired(); f != nil && f.rec.seq < e.hist {
			m.checkDebounce(key, group)
			group = nil
		}
		group = append(group, e)
	}
	m.checkDebounce(key, group)
}

func (m *flowModel) checkDebounce(key string, group []flowMember) {
	var newest flowMember
	var due, deadline int64
	for i, e := range group {
		d := m.f.at(e.gen).debounce
		if i == 0 && d.timeout > 0 {
			deadline = e.at + d.timeout.Milliseconds()
		}
		if i > 0 && e.ts < newest.ts {
			continue
		}
		newest, due = e, e.at+d.period.Milliseconds()
		if deadline > 0 {
			due = min(due, deadline)
		}
	}
	winners := 0
	for _, e := range group {
		if e.fate.reason != engine.SkipDebounce {
			winners++
		}
	}
	if winners != 1 || newest.fate.reason == engine.SkipDebounce {
		m.w.errorf("%s, %s: %d events started a run, want 1, with event %d", m.f.slug, key, winners, newest.data.N)
		return
	}
	m.checkTime(key, newest.fate, due)
}

// checkTime checks when collected events started their run: not early, and on time
// once time passes from one thing to the next.
func (m *flowModel) checkTime(key string, fate flowFate, due int64) {
	if at := fate.rec.At; at < due-m.w.back || (at > due && at > m.w.settled+m.w.back) {
		m.w.errorf("%s, %s: %v started at +%d ms, want +%d ms", m.f.slug, key, fate.run, at-flowStart, due-flowStart)
	}
}

// checkBatches checks one key's events: they are in runs in their order, and each
// run starts when it is full, or when its time has come.
func (m *flowModel) checkBatches(key string) {
	events := m.groups[key]
	for len(events) > 0 {
		r := events[0].fate.run
		if r == nil {
			m.w.errorf("%s, %s: event %d ended as %q", m.f.slug, key, events[0].data.N, events[0].fate.reason)
			return
		}
		n := min(len(r.events), len(events))
		var came []flowData
		for _, e := range events[:n] {
			came = append(came, e.data)
		}
		if !slices.Equal(came, r.events) {
			m.w.errorf("%s, %s: %s has events %v, but they came as %v", m.f.slug, key, r, r.events, came)
			return
		}
		m.checkBatch(key, events[:n])
		events = events[n:]
	}
}

func (m *flowModel) checkBatch(key string, events []flowMember) {
	first, last := events[0], events[len(events)-1]
	b := m.f.at(last.gen).batch
	full := len(events) >= b.size
	for i, e := range events {
		if i+1 < len(events) && i+1 >= m.f.at(e.gen).batch.size {
			m.w.errorf("%s, %s: a batch was full with %d events, but has %d", m.f.slug, key, i+1, len(events))
		}
	}
	if !full {
		m.checkTime(key, first.fate, first.at+m.f.at(first.gen).batch.timeout.Milliseconds())
		return
	}
	if first.fate.rec.At != last.at {
		m.w.errorf("%s, %s: a batch was full at +%d ms, but started at +%d ms", m.f.slug, key, last.at-flowStart, first.fate.rec.At-flowStart)
	}
}

func (f flowFate) String() string { return fmt.Sprintf("%q by %v", f.reason, f.run) }
