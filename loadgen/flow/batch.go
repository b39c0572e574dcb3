package flow

import "time"

// StartBatch sees the first call of a run with these events, the first of which was
// to be sent at the given time.
func (f *Function) StartBatch(seqs []int64, now, intended time.Duration) {
	n := len(seqs)
	f.watch.batch.see(int64(n))
	if n > f.Batch.Size {
		f.watch.breach(batchSize)
	}
	if n < f.Batch.Size && now-intended < f.Batch.Timeout-clocks {
		f.watch.breach(batchTime)
	}
	for _, seq := range seqs {
		if f.Key(seq) != f.Key(seqs[0]) {
			f.watch.breach(batchKey)
			return
		}
	}
}
