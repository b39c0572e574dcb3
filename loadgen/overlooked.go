package loadgen

import (
	"time"

	"ingot/loadgen/flow"
	"ingot/loadgen/ledger"
	"ingot/loadgen/record"
)

// keyed is when the newest event of a key was to be sent, of all that were accepted
// and of those that were served: their run started, and completed if another one could
// have ended it.
type keyed struct{ accepted, served time.Duration }

// overlooked counts keys of which an event must have a run that has none. Which events
// are skipped is the server's to decide but for the newest, where that wins, and for one
// of each key.
func (s *session) overlooked() (n int64) {
	// What was under way together may have come in another order.
	together := time.Duration(s.rec.Total(record.Request).Max())*time.Microsecond + 2*time.Millisecond
	for p, keys := range s.keyed() {
		f := p.shape.Flow
		for _, k := range keys {
			if k.served == 0 && k.accepted > 0 || f.NewestWins() && k.accepted-k.served > together {
				n++
			}
		}
	}
	return n
}

// keyed goes through the window's events of functions that may skip some. A rate limit
// may have been used up before, so it does not count.
func (s *session) keyed() map[*part][]keyed {
	all := map[*part][]keyed{}
	for _, p := range s.load.parts {
		if f := p.shape.Flow; p.uncertain() && f.RateLimit == (flow.Rate{}) {
			all[p] = make([]keyed, len(p.functions)*max(1, f.Keys))
		}
	}
	for seq := s.measured.first; seq < s.measured.last && len(all) > 0; seq++ {
		t := s.events.template(seq)
		e, ok := s.ledger.Event(seq)
		if keys := all[t.part]; keys != nil && ok && e.Accepted {
			f := t.part.shape.Flow
			keys[t.function*max(1, f.Keys)+f.Key(seq)].add(e, t.part.expectation())
		}
	}
	return all
}

func (k *keyed) add(e ledger.Event, expected ledger.Expectation) {
	k.accepted = max(k.accepted, e.Intended)
	if e.Completed || e.Started && expected == ledger.MayRun {
		k.served = max(k.served, e.Intended)
	}
}
