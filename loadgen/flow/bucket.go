package flow

import "time"

// bucket is the generic cell rate algorithm (spec 03 §21.1, §21.6).
type bucket struct {
	tat time.Duration // theoretical arrival time of the next one
}

// judge holds a start against a limit of one per emission and `most` at once. One
// that comes too early by more than `late`, which is how much later than this one the
// app may have seen earlier ones, breaks the promise and takes nothing.
func (f *Function) judge(p promise, b *bucket, emission time.Duration, most int, now, late time.Duration) {
	tat := max(b.tat, now) + emission
	early := tat - emission*time.Duration(most) - now
	if early > late {
		f.watch.breach(p)
	} else {
		b.tat = tat
	}
	f.watch.ahead.see(early.Microseconds())
}
