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
	// others says that others wait for the key.
	others bool
	held   []leaseHeld
}

// leaseHeld is one gate's part of a report.
type leaseHeld struct {
	gate gateKey
	n    int
}

// lease is the lent part of a gate.
type lease struct {
	owner int
	held  int
	// kept counts the lanes that have passed the gate and wait at another shared one.
	kept int
	// asked says that an answer is outstanding; others that somebody else waits; listed
	// that the gate is on the partition's list of those that may have to give back.
	asked, others, listed bool
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
	holders map[borrower]int
	waiting []leaseMessage // asks, in order
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
		p.pool(m.gate.id).waiting = append(p.pool(m.gate.id).waiting, *m)
		p.lend(m.gate.id)
	case leaseReturn:
		b := borrower{m.from, m.gate}
		q := p.pool(m.gate.id)
		n := min(m.n, q.holders[b])
		q.lent -= n
		if q.holders[b] -= n; q.holders[b] <= 0 {
			delete(q.holders, b)
		}
		p.lend(m.gate.id)
	case leaseGrant, leaseRecall:
		p.borrowed(m)
	}
}

func (p *partition) pool(id flowID) *pool {
	q := p.lender.pools[id]
	if q == nil {
		q = &pool{holders: map[borrower]int{}}
		p.lender.pools[id] = q
	}
	return q
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
		if n <= 0 {
			left = append(left, *m)
			continue
		}
		q.lent += n
		q.holders[borrower{m.from, m.gate}] += n
		p.tell(&leaseMessage{kind: leaseGrant, to: m.from, gate: m.gate, n: n, others: len(left) > 0 || i+1 < len(q.waiting)})
	}
	clear(q.waiting[len(left):])
	if q.waiting = left; len(left) > 0 {
		for _, b := range slices.SortedFunc(maps.Keys(q.holders), borrower.compare) {
			p.tell(&leaseMessage{kind: leaseRecall, to: b.partition, gate: b.gate})
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
		for b, n := range q.holders {
			if b.partition == from {
				q.lent -= n
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
			held = append(held, leaseHeld{k, g.lease.held})
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
		q.holders[borrower{m.from, h.gate}] += h.n
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
	if g.lease.asked || len(g.waiting) == 0 {
		return
	}
	want := 0
	for i := 0; i < len(g.waiting) && want < maxAsk; i++ {
		want += len(g.waiting[i].heap)
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
		if m.n > 0 { // nobody needs it any more
			p.tell(&leaseMessage{kind: leaseReturn, to: m.from, gate: m.gate, n: m.n})
		}
		return
	}
	if m.kind == leaseRecall {
		g.lease.others = true
		p.contend(g)
		return
	}
	g.lease.asked = false
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
// it waits for another one, where others wait for them or the limit has been lowered. It comes after dispatch, so that what was lent has
// been of use if it can be.
func (p *partition) giveBack() {
	left := p.contended[:0]
	for _, g := range p.contended {
		l := g.lease
		switch n := l.held - g.inUse - l.kept; {
		case l.others:
			p.giveLeases(g, n)
		case l.held > g.max:
			p.giveLeases(g, min(n, l.held-g.max))
		}
		if (l.others || l.held > g.max) && p.gates[g.key] == g {
			left = append(left, g)
		} else {
			l.listed = false
		}
	}
	clear(p.contended[len(left):])
	p.contended = left
}

func (p *partition) giveLeases(g *gate, n int) {
	if n > 0 {
		g.lease.held -= n
		p.tell(&leaseMessage{kind: leaseReturn, to: g.lease.owner, gate: g.key, n: n})
	}
}
