package engine

// Queues in memory, which reuse what they take.

// fifo is a queue in the order of arrival.
type fifo[T any] struct {
	items []T
	head  int
}

// keptItems is for how many elements an empty queue keeps memory.
const keptItems = 4096

func (q *fifo[T]) len() int { return len(q.items) - q.head }

// all are the elements in order, valid until the next change.
func (q *fifo[T]) all() []T { return q.items[q.head:] }

func (q *fifo[T]) push(e T) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, e)
}

func (q *fifo[T]) pop() T {
	var none T
	e := q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > keptItems {
			q.items = nil
		}
	}
	return e
}

// longFifo is a fifo that may become long: it lies in pieces, and so is never copied.
type longFifo[T any] struct {
	pieces fifo[[]T]
	head   int // in the first piece
	n      int
	spare  []T // a piece to be used again
}

// pieceSize is the number of elements of a piece.
const pieceSize = 128

func (q *longFifo[T]) len() int { return q.n }

func (q *longFifo[T]) push(e T) {
	q.n++
	all := q.pieces.all()
	last := len(all) - 1
	if last >= 0 && len(all[last]) < pieceSize {
		all[last] = append(all[last], e)
		return
	}
	piece := q.spare
	if q.spare = nil; piece == nil && last >= 0 { // the first one grows: most queues are short
		piece = make([]T, 0, pieceSize)
	}
	q.pieces.push(append(piece, e))
}

func (q *longFifo[T]) pop() T {
	var none T
	first := q.pieces.all()[0]
	e := first[q.head]
	first[q.head] = none
	q.n--
	if q.head++; q.head == len(first) {
		q.pieces.pop()
		q.head, q.spare = 0, first[:0]
	}
	return e
}

func (q *longFifo[T]) first() T { return q.pieces.all()[0][q.head] }

// all are the elements in order.
func (q *longFifo[T]) all(yield func(T) bool) {
	from := q.head
	for _, piece := range q.pieces.all() {
		for _, e := range piece[from:] {
			if !yield(e) {
				return
			}
		}
		from = 0
	}
}

// minHeap is a binary heap with its least element first.
type minHeap[T interface{ less(T) bool }] []T

func (h *minHeap[T]) push(e T) {
	s := append(*h, e)
	*h = s
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !s[i].less(s[p]) {
			break
		}
		s[i], s[p] = s[p], s[i]
		i = p
	}
}

func (h *minHeap[T]) pop() T {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0] = s[n]
	s = s[:n]
	*h = s
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && s[c+1].less(s[c]) {
			c++
		}
		if !s[c].less(s[i]) {
			break
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
	return top
}

// sortedQueue has its least element first. What comes in order, as most does, costs no more
// than in a fifo.
type sortedQueue[T interface{ less(T) bool }] struct {
	line   longFifo[T]
	last   T // of the line
	others minHeap[T]
}

func (q *sortedQueue[T]) len() int { return q.line.len() + len(q.others) }

func (q *sortedQueue[T]) push(e T) {
	if q.line.len() > 0 && e.less(q.last) {
		q.others.push(e)
		return
	}
	q.last = e
	q.line.push(e)
}

// inLine reports whether the least element is in the line; there must be one.
func (q *sortedQueue[T]) inLine() bool {
	return len(q.others) == 0 || q.line.len() > 0 && q.line.first().less(q.others[0])
}

func (q *sortedQueue[T]) first() T {
	if q.inLine() {
		return q.line.first()
	}
	return q.others[0]
}

func (q *sortedQueue[T]) pop() T {
	if q.inLine() {
		return q.line.pop()
	}
	return q.others.pop()
}

// all are the elements in no order.
func (q *sortedQueue[T]) all(yield func(T) bool) {
	for _, e := range q.others {
		if !yield(e) {
			return
		}
	}
	q.line.all(yield)
}
