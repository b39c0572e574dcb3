package engine

import (
	"bytes"

	"github.com/oklog/ulid/v2"
)

// How far a bulk cancellation is, if it has a name. The record is committed with the
// cancellations that it counts, so none is counted twice or left out, whatever crashes.

// resumeBulk lets a cancellation go on where its record says; whole reports that it has
// done all there was.
func (p *partition) resumeBulk(b *bulk) (whole bool) {
	id := b.req.bulk.ID
	if id == (ulid.ULID{}) {
		return false
	}
	found := false
	p.check(p.store.Get(TableJob, [][]byte{id[:]}, func(_ int, v []byte) {
		if v == nil {
			return
		}
		d := decoder{b: v}
		d.version()
		done, from := int(d.uint()), d.bytes()
		if found = d.err == nil; !found {
			p.log.Error("how far a bulk cancellation is cannot be read; it begins anew", "id", id.String(), "error", d.err)
			return
		}
		b.done, b.from, whole = done, bytes.Clone(from), len(from) == 0
	}))
	if !found {
		p.saveBulk(b, false)
		p.expireLater(TableJob, id[:], dedupeFor)
	}
	b.tell()
	return whole
}

// saveBulk writes how far a cancellation is: an empty place is the end.
func (p *partition) saveBulk(b *bulk, whole bool) {
	b.tell()
	id := b.req.bulk.ID
	if id == (ulid.ULID{}) {
		return
	}
	e := encoder{b: p.enc.b[:0]}
	e.byte(recordVersion)
	e.uint(uint64(b.done))
	if whole {
		e.bytes(nil)
	} else {
		e.bytes(b.from)
	}
	p.enc.b = e.b
	p.batch.Put(TableJob, id[:], e.b)
}

func (b *bulk) tell() {
	if p := b.req.bulk.Progress; p != nil {
		p.Store(int64(b.done))
	}
}

// replayKey is the key by which a replay's name is remembered for a function. Those of
// events have another byte behind the function.
func replayKey(c *Replay) []byte {
	return append(append(append([]byte(nil), c.Fn[:]...), 2), c.Once[:]...)
}
