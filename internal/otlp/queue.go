package otlp

// queue is a ring of bounded size that forgets the oldest. Its user locks.
type queue[T any] struct {
	ring    []T
	head, n int
}

func newQueue[T any](limit int) queue[T] { return queue[T]{ring: make([]T, limit)} }

// push adds v; it reports whether the oldest was dropped for it.
func (q *queue[T]) push(v T) (dropped bool) {
	if q.n == len(q.ring) {
		q.ring[q.head] = v
		q.head = (q.head + 1) % len(q.ring)
		return true
	}
	q.ring[(q.head+q.n)%len(q.ring)] = v
	q.n++
	return false
}

// take removes up to limit of the oldest.
func (q *queue[T]) take(limit int) []T {
	limit = min(limit, q.n)
	out := make([]T, limit)
	var none T
	for i := range out {
		out[i], q.ring[q.head] = q.ring[q.head], none
		q.head = (q.head + 1) % len(q.ring)
	}
	q.n -= limit
	return out
}
