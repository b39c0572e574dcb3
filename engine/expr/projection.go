package expr

// ScalarKind is the type of a Scalar.
type ScalarKind uint8

const (
	NoScalar ScalarKind = iota // missing, null, a list or a map
	BoolScalar
	NumberScalar
	StringScalar
)

// Scalar is a value that an Equality can have, in a form that equals another with
// == exactly when CEL's == holds (spec 03 §20.3).
type Scalar struct {
	Kind ScalarKind
	Num  uint64 // the bits of a number, or 0 and 1
	Str  string
}

func scalarOf(v value) Scalar {
	switch v.k {
	case kBool:
		return Scalar{Kind: BoolScalar, Num: v.num}
	case kString:
		return Scalar{Kind: StringScalar, Str: v.s}
	case kInt, kUint, kDouble:
		f := v.asDouble()
		if f == 0 {
			f = 0 // -0 equals 0
		}
		return Scalar{Kind: NumberScalar, Num: doubleValue(f).num}
	default:
		return Scalar{}
	}
}

// VisitEqualities calls visit with each of Equalities, without allocating. The
// path is shared and must not be changed.
func (e *Expr) VisitEqualities(visit func(path []string, s Scalar)) {
	for _, r := range e.prog.equalities {
		visit(r.path, scalarOf(e.literal(r.lit)))
	}
}

// Projection reads a fixed set of attributes of event JSON in one pass. It is not
// safe for concurrent use.
type Projection struct {
	trie  *trie
	index []int // of each path given, its slot
	slots []string
}

// NewProjection is a projection of paths below the event. Equal paths may repeat;
// none may be empty.
func NewProjection(paths [][]string) *Projection {
	p := &Projection{trie: newTrie()}
	n := 0
	for _, path := range paths {
		slot := p.trie.insert(path, n)
		n = max(n, slot+1)
		p.index = append(p.index, slot)
	}
	p.slots = make([]string, n)
	return p
}

// Scan sets out[i] to the value of path i in event, which must be valid JSON.
// Strings are views of event. Scan keeps no reference to it.
func (p *Projection) Scan(event []byte, out []Scalar) {
	clear(p.slots)
	s := view(event)
	if i := skipSpace(s, 0); i < len(s) && s[i] == '{' {
		p.trie.take(s, i, p.slots, false)
	}
	for i, slot := range p.index {
		out[i] = scalarOf(decodeJSON(p.slots[slot]))
	}
	clear(p.slots)
}
