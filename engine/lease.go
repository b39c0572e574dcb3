package engine

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// Limits that several functions share (concurrency of scope environment or account)
// count calls in many partitions. Each key has one owning partition, which lends its
// capacity to the gates of the others; a gate lets no more calls pass than it holds
// leases. A gate asks when a lane waits at it, keeps what it has while it has lanes,
// and gives back what is idle when others wait.
//
// Leases are in memory only: what they count, calls under way, is too. Partitions may
// restart one by one, on other nodes. Each incarnation has a higher epoch, and messages
// name those of both ends, so none is taken that was meant for, or came from, a former
// one. A partition that starts asks all others for what they hold of its keys and lends
// nothing before all have answered; the question also tells them that it holds nothing
// any more. Messages between two partitions keep their order.

// leaseKind says what a lease message is.
type leaseKind uint8

const (
	leaseQuery  leaseKind = iota + 1 // a partition has started: what do you hold of mine?
	leaseReport                      // the answer
	leaseAsk                         // a gate wants n more, under its limit
	leaseGrant                       // it gets n
	leaseReturn                      // n come back
	leaseRecall                      // others wait: give back what is idle
)

// leaseMessage is one message between partitions. It does not wait for a commit.
type leaseMessage struct {
	kind     leaseKind
	from, to int
	// epoch is the sender's, peer what it takes the receiver's to be; 0 if unknown.
	epoch, peer uint64
	gate        gateKey
	limit, n    int
	// others says that others wait for the key; of a return, that it answers a recall.
	others bool
	held   []leaseHeld
}

// leaseHeld is one gate's part of a report.
type leaseHeld struct {
	gate     gateKey
	n, limit int
}

// lease is the lent part of a gate.
type lease struct {
	owner int
	held  int
	// kept counts the lanes that have passed the gate and wait at another shared one.
	kept int
	// asked says that an answer is outstanding; others that somebody else waits; listed
	// that the gate is on the partition's list of those that may have to give back; recalled
	// that the owner waits for an answer.
	asked, others, listed, recalled bool
}

// borrower is a gate of some partition, to the owner of its key.
type borrower struct {
	partition int
	gate      gateKey
}

func (a borrower) compare(b borrower) int {
	return cmp.Or(cmp.Compare(a.partition, b.partition), a.gate.compare(b.gate))
}

func (a gateKey) compare(b gateKey) int {
	return cmp.Or(bytes.Compare(a.fn[:], b.fn[:]), a.id.compare(b.id))
}

func (a flowID) compare(b flowID) int { return bytes.Compare(a[:], b[:]) }

// pool is a key's capacity, at its owner.
type pool struct {
	lent    int
	holders map[borrower]*holder
	waiting []leaseMessage // asks, in order
}

// holder is what one gate holds of a key.
type holder struct {
	n int
	// limit is the number of the gate's function, which may differ from others'.
	limit int
	// told says that the gate knows of others, and so gives back what is idle; recalled
	// that it was asked to, and settled that it has answered: all it holds is in use.
	told, recalled, settled bool
}

// lender is the owner's side of a partition.
type lender struct {
	epoch uint64
	// peers are the epochs of the other partitions, as far as known; reported says who
	// has answered since the start, missing how many have not.
	peers    []uint64
	reported []bool
	missing  int
	greeted  bool
	pools    map[flowID]*pool
}

func newLender(epoch uint64, partitions int) lender {
	return lender{epoch: epoch, peers: make([]uint64, partitions), reported: make([]bool, partitions), missing: partitions, pools: map[flowID]*pool{}}
}

func keyOwner(id flowID, partitions int) int { return int(id[15]) % partitions }

// greet tells all partitions that this one has started.
func (p *partition) greet() {
	if p.lender.greeted {
		return
	}
	p.lender.greeted = true
	for to := range p.set.partitions {
		p.tell(&leaseMessage{kind: leaseQuery, to: to})
	}
}

func (p *partition) tell(m *leaseMessage) {
	m.from, m.epoch, m.peer = p.id, p.lender.epoch, p.lender.peers[m.to]
	p.out.leases = append(p.out.leases, m)
}

// lease takes a message.
func (p *partition) lease(m *leaseMessage) {
	l := &p.lender
	if m.peer != 0 && m.peer != l.epoch || m.epoch < l.peers[m.from] {
		return // to or from a former incarnation
	}
	if m.epoch > l.peers[m.from] {
		if l.peers[m.from] != 0 {
			p.forgetBorrower(m.from)
		}
		l.peers[m.from] = m.epoch
	}
	switch m.kind {
	case leaseQuery:
		p.reported(m) // it has just started, so it holds nothing
		p.report(m.from)
	case leaseReport:
		p.reported(m)
	case leaseAsk:
		p.asked(m)
		p.lend(m.gate.id)
	case leaseReturn:
		p.returned(m)
	case leaseGrant, leaseRecall:
		p.borrowed(m)
	}
}

// asked notes who wants leases. A gate asks again if its number has changed meanwhile.
func (p *partition) asked(m *leaseMessage) {
	q := p.pool(m.gate.id)
	same := func(a leaseMessage) bool { return a.from == m.from && a.gate == m.gate }
	if i := slices.IndexFunc(q.waiting, same); i >= 0 {
		q.waiting[i] = *m
		return
	}
	q.waiting = append(q.waiting, *m)
}

func (p *partition) pool(id flowID) *pool {
	q := p.lender.pools[id]
	if q == nil {
		q = &pool{holders: map[borrower]*holder{}}
		p.lender.pools[id] = q
	}
	return q
}

func (q *pool) holder(b borrower) *holder {
	h := q.holders[b]
	if h == nil {
		h = &holder{}
		q.holders[b] = h
	}
	return h
}

// returned takes leases back; none is the answer of a gate that had nothing idle.
func (p *partition) returned(m *leaseMessage) {
	b := borrower{m.from, m.gate}
	q := p.lender.pools[m.gate.id]
	if q == nil || q.holders[b] == nil {
		return
	}
	h := q.holders[b]
	n := min(m.n, h.n)
	q.lent -= n
	h.n -= n
	if h.recalled && m.others {
		h.settled, h.recalled = true, false
	}
	if h.n == 0 {
		delete(q.holders, b)
	}
	p.lend(m.gate.id)
}

// recall asks a gate to keep nothing idle.
func (p *partition) recall(b borrower, h *holder) {
	h.told, h.recalled = true, true
	p.tell(&leaseMessage{kind: leaseRecall, to: b.partition, gate: b.gate})
}

// exceeds reports whether n more would exceed the number of another holder, which could
// then make a call with a lease that it has not used yet. Such are recalled first.
func (p *partition) exceeds(q *pool, m *leaseMessage, n int) (found bool) {
	for _, b := range slices.SortedFunc(maps.Keys(q.holders), borrower.compare) {
		h := q.holders[b]
		if h.limit >= q.lent+n || h.settled || b == (borrower{m.from, m.gate}) {
			continue
		}
		if found = true; !h.recalled {
			p.recall(b, h)
		}
	}
	return found
}

// lend serves those who wait for a key, in order; those whose limit is reached are
// passed over. While some are left, the holders are asked for what is idle.
func (p *partition) lend(id flowID) {
	q := p.lender.pools[id]
	if q == nil || p.lender.missing > 0 {
		return
	}
	left := q.waiting[:0]
	served := len(q.waiting)
	for i := range q.waiting {
		m := &q.waiting[i]
		n := min(m.n, m.limit-q.lent)
		if served > 1 {
			n = min(n, 1) // one by one while several want some
		}
		// A gate that owes an answer gets it off first: the answer tells of all that it holds.
		if h := q.holders[borrower{m.from, m.gate}]; n <= 0 || h != nil && h.recalled || p.exceeds(q, m, n) {
			left = append(left, *m)
			continue
		}
		h := q.holder(borrower{m.from, m.gate})
		q.lent += n
		h.n += n
		h.limit, h.settled = m.limit, false
		h.told = len(left) > 0 || i+1 < len(q.waiting)
		p.tell(&leaseMessage{kind: leaseGrant, to: m.from, gate: m.gate, limit: m.limit, n: n, others: h.told})
	}
	clear(q.waiting[len(left):])
	if q.waiting = left; len(left) > 0 {
		for _, b := range slices.SortedFunc(maps.Keys(q.holders), borrower.compare) {
			if h := q.holders[b]; !h.told {
				p.recall(b, h)
			}
		}
	}
	if q.lent == 0 && len(q.waiting) == 0 {
		delete(p.lender.pools, id)
	}
}

// forgetBorrower takes back what a former incarnation of a partition held.
func (p *partition) forgetBorrower(from int) {
	for _, id := range slices.SortedFunc(maps.Keys(p.lender.pools), flowID.compare) {
		q := p.lender.pools[id]
		for b, h := range q.holders {
			if b.partition == from {
				q.lent -= h.n
				delete(q.holders, b)
			}
		}
		left := q.waiting[:0]
		for _, m := range q.waiting {
			if m.from != from {
				left = append(left, m)
			}
		}
		q.waiting = left
		p.lend(id)
	}
}

// report tells a partition that has started what is held of its keys here. What was
// asked of its former incarnation is asked again.
func (p *partition) report(to int) {
	var held []leaseHeld
	var asked []*gate
	for _, k := range slices.SortedFunc(maps.Keys(p.gates), gateKey.compare) {
		g := p.gates[k]
		if g.lease == nil || g.lease.owner != to {
			continue
		}
		if g.lease.held > 0 {
			held = append(held, leaseHeld{k, g.lease.held, g.max})
		}
		if g.lease.asked {
			asked = append(asked, g)
		}
	}
	p.tell(&leaseMessage{kind: leaseReport, to: to, held: held})
	for _, g := range asked {
		g.lease.asked = false
		p.ask(g)
	}
}

// reported takes the answer to greet.
func (p *partition) reported(m *leaseMessage) {
	l := &p.lender
	if l.reported[m.from] {
		return
	}
	l.reported[m.from] = true
	for _, h := range m.held {
		q := p.pool(h.gate.id)
		to := q.holder(borrower{m.from, h.gate})
		to.n += h.n
		to.limit = h.limit
		q.lent += h.n
	}
	if l.missing--; l.missing == 0 {
		for _, id := range slices.SortedFunc(maps.Keys(l.pools), flowID.compare) {
			p.lend(id)
		}
	}
}

// The side of those who borrow.

// ask asks the key's owner for as many leases as the waiting lanes could use.
func (p *partition) ask(g *gate) {
	if !g.lease.asked && len(g.waiting) > 0 {
		p.askFor(g)
	}
}

func (p *partition) askFor(g *gate) {
	want := 0
	for i := 0; i < len(g.waiting) && want < maxAsk; i++ {
		want += len(g.waiting[i].heap) + g.waiting[i].guests.len()
	}
	g.lease.asked = true
	p.tell(&leaseMessage{kind: leaseAsk, to: g.lease.owner, gate: g.key, limit: g.max, n: min(max(want, 1), maxAsk)})
}

// maxAsk bounds what one gate asks for at once.
const maxAsk = 64

// borrowed takes a grant or a recall.
func (p *partition) borrowed(m *leaseMessage) {
	g := p.gates[m.gate]
	if g == nil || g.lease == nil {
		// Nobody needs it any more.
		p.tell(&leaseMessage{kind: leaseReturn, to: m.from, gate: m.gate, n: m.n, others: true})
		return
	}
	if m.kind == leaseRecall {
		g.lease.others, g.lease.recalled = true, true
		p.contend(g)
		return
	}
	g.lease.asked = false
	if m.limit > g.max { // the number has been lowered since it was asked
		p.tell(&leaseMessage{kind: leaseReturn, to: m.from, gate: m.gate, n: m.n})
		p.ask(g)
		return
	}
	g.lease.held += m.n
	if g.lease.others = m.others; m.others {
		p.contend(g)
	}
	p.open(g)
	p.look()
}

// contend notes that a gate may have to give leases back at the end of the round.
func (p *partition) contend(g *gate) {
	if !g.lease.listed {
		g.lease.listed = true
		p.contended = append(p.contended, g)
	}
}

// giveBack returns leases that no call of this round has used, and no lane keeps while
// it waits for another one, where others wait for them. It comes after dispatch, so that
// what was lent has been of use if it can be.
func (p *partition) giveBack() {
	left := p.contended[:0]
	for _, g := range p.contended {
		l := g.lease
		if n := l.held - g.inUse - l.kept; l.others {
			// The answer to a recall waits until nothing is idle.
			n = max(n, 0)
			answer := l.recalled && l.held-n == g.inUse
			if l.held -= n; n > 0 || answer {
				p.tell(&leaseMessage{kind: leaseReturn, to: l.owner, gate: g.key, n: n, others: answer})
			}
			l.recalled = l.recalled && !answer
		}
		if l.others && p.gates[g.key] == g {
			left = append(left, g)
		} else {
			l.listed = false
		}
	}
	clear(p.contended[len(left):])
	p.contended = left
}

// limitGate takes the limit of a new configuration. Leases were lent under the old one:
// those that are idle go back, and the others when their calls end.
func (p *partition) limitGate(g *gate, n int) {
	if l := g.lease; l != nil && g.max != n && l.held > 0 {
		p.giveLeases(g, l.held-g.inUse)
		l.others = true
		p.contend(g)
	}
	changed := g.max != n
	g.max = n
	if changed && g.lease != nil && g.lease.asked {
		p.askFor(g)
	}
}

func (p *partition) giveLeases(g *gate, n int) {
	if n > 0 {
		g.lease.held -= n
		p.tell(&leaseMessage{kind: leaseReturn, to: g.lease.owner, gate: g.key, n: n})
	}
}
