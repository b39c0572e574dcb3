package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"ingot/engine/event"
	"ingot/engine/function"
	"ingot/internal/cron"
	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Schedules (spec 03 §24). The partition that owns a function owns its
// schedules; the last time that fired is stored with the commit that started the
// run, so a schedule fires once per time across restarts.

// cronEntry is one schedule of a function.
type cronEntry struct {
	fn       *function.Function
	trigger  function.Trigger
	schedule *cron.Schedule
	// scheduled is the next time by the schedule, at the time with jitter; unix ms.
	scheduled, at int64
}

type cronTable struct {
	entries map[string]*cronEntry // by stored key
	due     int64                 // the earliest `at`; 0 if none
}

func (c *cronTable) next() int64 { return c.due }

func (c *cronTable) refresh() {
	c.due = 0
	for _, e := range c.entries {
		if e.at != 0 && (c.due == 0 || e.at < c.due) {
			c.due = e.at
		}
	}
}

// configureCrons takes the schedules of this partition's functions. A schedule
// that is known goes on; a new one begins now.
func (p *partition) configureCrons() {
	old := p.crons.entries
	p.crons.entries = map[string]*cronEntry{}
	for _, fn := range p.snapshot.Active {
		if functionPartition(fn.ID, p.set.partitions) != p.id {
			continue
		}
		for _, t := range fn.Triggers {
			if t.Cron == "" {
				continue
			}
			key := string(fn.ID[:]) + t.Cron
			s, err := cron.Parse(t.Cron)
			if err != nil {
				p.log.Error("schedule cannot be read; it will not fire", "function", fn.Slug, "cron", t.Cron, "error", err)
				continue
			}
			e := &cronEntry{fn: fn, trigger: t, schedule: s}
			if was := old[key]; was != nil {
				e.scheduled = was.scheduled
				e.setAt()
			} else {
				p.beginCron(key, e)
			}
			p.crons.entries[key] = e
		}
	}
	for key := range old {
		if p.crons.entries[key] == nil {
			p.batch.Delete(TableFunction, []byte(key))
		}
	}
	p.crons.refresh()
}

// beginCron sets a schedule's next time: after the last one that fired if that
// is stored. Of the times missed while the server was down, the latest is made
// up for and the others are passed over.
func (p *partition) beginCron(key string, e *cronEntry) {
	last := int64(0)
	p.check(p.store.Get(TableFunction, [][]byte{[]byte(key)}, func(_ int, v []byte) {
		d := decoder{b: v}
		if v != nil {
			d.version()
			last = d.int()
		}
	}))
	if last == 0 {
		p.putCron(key, p.now)
		last = p.now
	}
	e.scheduled = nextCron(e.schedule, last)
	for e.scheduled != 0 && e.scheduled <= p.now {
		n := nextCron(e.schedule, e.scheduled)
		if n == 0 || n > p.now {
			break
		}
		// Long gaps of a dense schedule: go to the last day at once.
		if day := p.now - (24 * time.Hour).Milliseconds(); n < day {
			n = nextCron(e.schedule, day)
			if n > p.now {
				break
			}
		}
		e.scheduled = n
	}
	e.setAt()
}

func nextCron(s *cron.Schedule, after int64) int64 {
	t := s.Next(time.UnixMilli(after))
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (e *cronEntry) setAt() {
	e.at = e.scheduled
	if e.scheduled != 0 && e.trigger.Jitter > 0 {
		e.at += cron.Jitter(e.trigger.Jitter, e.fn.ID[:], []byte(e.trigger.Cron), appendUint64(nil, uint64(e.scheduled))).Milliseconds()
	}
}

func (p *partition) putCron(key string, at int64) {
	e := encoder{b: p.enc.b[:0]}
	e.byte(recordVersion)
	e.int(at)
	p.enc.b = e.b
	p.batch.Put(TableFunction, []byte(key), e.b)
}

// fireCrons starts what is due.
func (p *partition) fireCrons() {
	if p.crons.due == 0 || p.crons.due > p.now {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(p.crons.entries)) {
		e := p.crons.entries[key]
		if e.at == 0 || e.at > p.now {
			continue
		}
		p.fireCron(e)
		p.at = blame{}
		p.putCron(key, e.scheduled)
		e.scheduled = nextCron(e.schedule, e.scheduled)
		e.setAt()
	}
	p.crons.refresh()
}

func (p *partition) fireCron(e *cronEntry) {
	when := time.UnixMilli(e.scheduled).UTC().Format(time.RFC3339)
	data, _ := json.Marshal(struct {
		Cron        string `json:"cron"`
		FireAt      string `json:"fireAt"`
		ScheduledAt string `json:"scheduledAt"`
	}{e.trigger.Cron, time.UnixMilli(e.at).UTC().Format(time.RFC3339Nano), when})
	id := ids.Derive(e.at, e.fn.ID[:], []byte(e.trigger.Cron), []byte(when))
	ev := event.NewInternal(id, event.NameScheduledTimer, when, data, e.at)
	if p.names.listened(event.NameScheduledTimer) {
		p.publish(ev)
	} else {
		p.outbox.add(&Lifecycle{Kind: InternalEvent, At: p.now, Payload: eventRecord(ev)})
	}
	p.fired(e.fn, e.trigger.Cron, ev)
}

// fired starts a schedule's run. Limits hold for it as for events; a paused function
// does not gather the times that pass.
func (p *partition) fired(fn *function.Function, cron string, ev *event.Event) {
	re := &routedEvent{Event: *ev, json: ev.AppendJSON(nil)}
	q := p.queue(fn.ID)
	p.at = blame{fn: fn.ID, event: ev.InternalID}
	if reason, ok := p.condemned(p.at); ok {
		p.buryEvents(fn.ID, ev.InternalID, []ulid.ULID{ev.InternalID}, [][]byte{re.json}, reason)
		return
	}
	switch {
	case q.draining:
		p.skip(fn, ev.InternalID, SkipDraining)
	case q.paused:
		p.skip(fn, ev.InternalID, SkipPaused)
	case fn.RateLimit != nil && !p.admit(fn, re.json):
		p.skip(fn, ev.InternalID, SkipRateLimit)
	case fn.Debounce != nil:
		p.debounce(fn, re)
	default:
		p.begin(fn, &newRun{id: deriveRunID(p.now, fn.ID, ev.InternalID[:]), events: [][]byte{re.json}, ids: []ulid.ULID{ev.InternalID}, cron: cron, source: ev.InternalID})
	}
}
