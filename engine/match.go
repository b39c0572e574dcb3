package engine

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/oklog/ulid/v2"

	"ingot/engine/expr"
)

// waitRef names a wait: a job of a run.
type waitRef struct {
	run ulid.ULID
	job uint32
}

// waitIndex finds the waits that an event may match (spec 03 §20.7). Each wait's
// condition is looked through for predicates `async.<path> == <literal>` that must
// hold for it to be true. Waits whose conditions test the same paths form a shape;
// an event's values at a shape's paths are the key under which its waits are found.
// Conditions without such a predicate, and empty ones, are candidates always.
//
// The index may give too many candidates, never too few: the caller evaluates the
// condition in full. It belongs to one partition and is not safe for concurrent use.
type waitIndex struct {
	seed  maphash.Seed
	names map[string]*waitName
	table waitTable
	// scratch of add, remove and candidates
	terms   []waitTerm
	key     []byte
	scalars []expr.Scalar
}

// waitName is what is known about one event name.
type waitName struct {
	seed   uint64
	count  int
	always int // waits that are candidates always
	shapes []*waitShape
	proj   *expr.Projection
	paths  int // number of paths in proj
}

// waitShape are the waits of one name whose conditions test the same paths.
type waitShape struct {
	key   string
	seed  uint64
	count int
	paths [][]string
	first int // where its values are among those of the projection
}

// waitTerm is one predicate of a condition.
type waitTerm struct {
	path  []string
	value expr.Scalar
}

// An event is looked up once per shape of its name, so shapes are bounded;
// conditions beyond are candidates always. Predicates beyond the fourth add no
// selectivity worth the look-up.
const (
	maxWaitShapes = 64
	maxWaitTerms  = 4
)

func newWaitIndex() *waitIndex {
	return &waitIndex{seed: maphash.MakeSeed(), names: map[string]*waitName{}}
}

// has reports whether any wait is for the event name.
func (x *waitIndex) has(name []byte) bool {
	_, ok := x.names[string(name)]
	return ok
}

// add indexes a wait for the event name under a condition that was interpolated
// (spec 03 §20.5). Adding the same again changes nothing.
func (x *waitIndex) add(name string, ref waitRef, exprSrc string) {
	n := x.names[name]
	if n == nil {
		n = &waitName{seed: maphash.String(x.seed, name)}
	}
	x.parse(exprSrc)
	shape := n.shape(x.key)
	if shape == nil && len(x.terms) > 0 && len(n.shapes) < maxWaitShapes {
		shape = x.newShape(n)
	}
	if !x.table.insert(x.hash(n, shape), ref) {
		return
	}
	x.names[name] = n
	n.count++
	if shape == nil {
		n.always++
		return
	}
	shape.count++
	if shape.count == 1 {
		n.shapes = append(n.shapes, shape)
		n.project()
	}
}

// remove takes out what add put in with the same arguments.
func (x *waitIndex) remove(name string, ref waitRef, exprSrc string) {
	n := x.names[name]
	if n == nil {
		return
	}
	x.parse(exprSrc)
	shape := n.shape(x.key)
	if shape == nil || !x.table.remove(x.hash(n, shape), ref) {
		// Without a shape, or from a time when there were too many.
		if !x.table.remove(n.seed, ref) {
			return
		}
		shape = nil
	}
	if n.count--; n.count == 0 {
		delete(x.names, name)
		return
	}
	if shape == nil {
		n.always--
		return
	}
	if shape.count--; shape.count == 0 {
		n.shapes = slices.DeleteFunc(n.shapes, func(s *waitShape) bool { return s == shape })
		n.project()
	}
}

// candidates calls visit with each wait for the name that the event may match. The
// order depends on the order of calls of add and remove alone. visit must not
// change the index.
func (x *waitIndex) candidates(name []byte, eventJSON []byte, visit func(waitRef)) {
	n := x.names[string(name)]
	if n == nil {
		return
	}
	if n.always > 0 {
		x.table.visit(n.seed, visit)
	}
	if len(n.shapes) == 0 {
		return
	}
	x.scalars = slices.Grow(x.scalars[:0], n.paths)[:n.paths]
	n.proj.Scan(eventJSON, x.scalars)
shapes:
	for _, s := range n.shapes {
		h := s.seed
		for _, v := range x.scalars[s.first : s.first+len(s.paths)] {
			if v.Kind == expr.NoScalar {
				continue shapes
			}
			h = x.mix(h, v)
		}
		x.table.visit(h, visit)
	}
	clear(x.scalars) // they are views of the event
}

// parse sets terms to the predicates of a condition, ordered by path, and key to
// the text that identifies their paths.
func (x *waitIndex) parse(exprSrc string) {
	x.terms, x.key = x.terms[:0], x.key[:0]
	if exprSrc == "" {
		return
	}
	e, err := expr.Compile(exprSrc)
	if err != nil {
		return
	}
	e.VisitEqualities(func(path []string, v expr.Scalar) {
		if len(x.terms) < maxWaitTerms {
			x.terms = append(x.terms, waitTerm{path, v})
		}
	})
	slices.SortStableFunc(x.terms, func(a, b waitTerm) int { return slices.Compare(a.path, b.path) })
	for _, t := range x.terms {
		x.key = binary.AppendUvarint(x.key, uint64(len(t.path)))
		for _, k := range t.path {
			x.key = append(binary.AppendUvarint(x.key, uint64(len(k))), k...)
		}
	}
}

// hash is the key of the condition that was parsed last.
func (x *waitIndex) hash(n *waitName, s *waitShape) uint64 {
	if s == nil {
		return n.seed
	}
	h := s.seed
	for _, t := range x.terms {
		h = x.mix(h, t.value)
	}
	return h
}

func (x *waitIndex) mix(h uint64, v expr.Scalar) uint64 {
	k := v.Num
	if v.Kind == expr.StringScalar {
		k = maphash.String(x.seed, v.Str)
	}
	return mix64(h^uint64(v.Kind), k)
}

// mix64 joins two hashes; the order matters.
func mix64(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9E3779B97F4A7C15, b^0xD6E8FEB86659FD93)
	return hi ^ lo ^ bits.RotateLeft64(b, 17)
}

func (n *waitName) shape(key []byte) *waitShape {
	for _, s := range n.shapes {
		if s.key == string(key) {
			return s
		}
	}
	return nil
}

func (x *waitIndex) newShape(n *waitName) *waitShape {
	s := &waitShape{key: string(x.key), seed: mix64(n.seed, maphash.Bytes(x.seed, x.key))}
	for _, t := range x.terms {
		s.paths = append(s.paths, t.path)
	}
	return s
}

// project makes the projection for the shapes that there are.
func (n *waitName) project() {
	var paths [][]string
	for _, s := range n.shapes {
		s.first = len(paths)
		paths = append(paths, s.paths...)
	}
	n.paths = len(paths)
	n.proj = expr.NewProjection(paths)
}
