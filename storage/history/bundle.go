package history

import "context"

// Bundled traces. Rows of runs are written where their numbers are, which is anywhere among
// those of the last seconds: the larger they are, the more pages of the table a batch changes
// and splits. So the records of runs that begin and end within a batch, or were parked, which
// are most, are stored beside: those of many runs are one row of ingot_bundles, compressed
// together, behind all others. The row of such a run has the number of its bundle, and its
// trace begins with a reference: where in the bundle its records are. What is recorded of it
// later follows as frames and chunks, as with all others.
//
// A bundle counts the runs that refer to it, and goes with the last of them.

// Bounds of bundles, chosen by BenchmarkStore: large ones are small on disk, small ones are cheap
// to read a single run of.
const (
	// bundleBytes of records are a bundle: about 80 runs of three steps, which become 10 KB and
	// are unpacked in 25 µs. Half of it becomes 5 KB, of which SQLite's pages hold only one.
	bundleBytes = 128 << 10
	// minBundled runs are worth a bundle.
	minBundled = 8
	// maxBundledRun bounds the records of a run that is bundled, bytes.
	maxBundledRun = 8 << 10
)

// bundleRow is a row of ingot_bundles.
type bundleRow struct {
	no   int64
	runs int64 // that refer to it
	data []byte
}

// bundler makes the bundles of a batch.
type bundler struct {
	rows []bundleRow
	next int64 // number of the next one
	// records is those of the bundle that grows, the last of rows.
	records []byte
}

// bundle gives new runs their traces, and returns the bundles to which they refer. These are
// valid until the next batch.
func (s *store) bundle(ctx context.Context, f *fold, runs []*pendingRun) ([]bundleRow, error) {
	b := &f.bundler
	b.rows, b.records = b.rows[:0], b.records[:0]
	left := 0 // runs that may be bundled
	for _, p := range runs {
		if p.status().Ended() {
			left++
		}
	}
	few := left < minBundled
	if !few {
		last, err := s.tx.lastBundle(ctx)
		if err != nil {
			return nil, err
		}
		b.next = last + 1
	}
	for _, p := range runs {
		f.pace.Step()
		if few || !p.status().Ended() {
			p.trace = f.runFrame(p.folded)
			continue
		}
		f.addToBundle(p)
		if left--; len(b.records) >= bundleBytes && left >= minBundled {
			f.closeBundle()
		}
	}
	f.closeBundle()
	return b.rows, nil
}

// addToBundle gives a run its trace: a reference to the bundle that grows, unless its records
// are too many.
func (f *fold) addToBundle(p *pendingRun) {
	b := &f.bundler
	from := len(b.records)
	b.records = f.encode(b.records, p.folded)
	size := len(b.records) - from
	if size > maxBundledRun {
		p.trace = f.frame(b.records[from:])
		b.records = b.records[:from]
		return
	}
	if from == 0 {
		b.rows = append(b.rows, bundleRow{no: b.next})
		b.next++
	}
	last := &b.rows[len(b.rows)-1]
	last.runs++
	p.bundle = last.no
	p.trace = f.arena.add(referenceRoom, func(dst []byte) []byte { return appendReference(dst, from, size) })
}

// closeBundle packs the bundle that grows, if there is one.
func (f *fold) closeBundle() {
	if b := &f.bundler; len(b.records) > 0 {
		b.rows[len(b.rows)-1].data = f.frame(b.records)
		b.records = b.records[:0]
	}
}

// leave lets a run, which has not been inserted, refer to no bundle any more.
func (b *bundler) leave(p *pendingRun) {
	if p.bundle != 0 {
		b.rows[p.bundle-b.rows[0].no].runs--
		p.bundle = 0
	}
}
