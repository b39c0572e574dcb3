package expr

// Equality is a predicate `async.<Path> == <Value>` that must hold for the whole
// expression to be true.
type Equality struct {
	// Path is the attribute below async, e.g. ["data","order"].
	Path []string
	// Value is a string, float64 or bool.
	Value any
}

// equalityRef is an equality of a shape; the value may be one of the literals
// that were lifted out.
type equalityRef struct {
	path []string
	lit  node
}

// FindEquality returns one such predicate of an interpolated expression, if its
// shape guarantees one (a top-level == or a conjunct of top-level &&).
func FindEquality(src string) (Equality, bool) {
	e, err := Compile(src)
	if err != nil || len(e.prog.equalities) == 0 {
		return Equality{}, false
	}
	return e.equality(0), true
}

// Equalities returns all of them, in the order of the source. The paths are
// shared and must not be changed.
func (e *Expr) Equalities() []Equality {
	out := make([]Equality, len(e.prog.equalities))
	for i := range out {
		out[i] = e.equality(i)
	}
	return out
}

func (e *Expr) equality(i int) Equality {
	r := e.prog.equalities[i]
	v := e.literal(r.lit)
	switch v.k {
	case kBool:
		return Equality{r.path, v.bool()}
	case kString:
		return Equality{r.path, v.s}
	default:
		return Equality{r.path, v.asDouble()}
	}
}

func (e *Expr) literal(n node) value {
	if l, ok := n.(litNode); ok {
		return e.lits[l.i]
	}
	return n.(constNode).v
}

// findEqualities walks the conjuncts. An equality that is false makes a
// conjunction false or an error, also with operands that are not booleans: && then
// gives its first falsy operand, or its last.
func findEqualities(n node, out []equalityRef) []equalityRef {
	switch n := n.(type) {
	case *andNode:
		return findEqualities(n.b, findEqualities(n.a, out))
	case *equalNode:
		if n.negate {
			return out
		}
		if r, ok := asEquality(n.a, n.b); ok {
			return append(out, r)
		}
		if r, ok := asEquality(n.b, n.a); ok {
			return append(out, r)
		}
	}
	return out
}

func asEquality(attr, lit node) (equalityRef, bool) {
	p, ok := attr.(*pathNode)
	if !ok || p.root != rootAsync || len(p.keys) == 0 {
		return equalityRef{}, false
	}
	switch l := lit.(type) {
	case litNode: // a string or a number: nothing else is lifted
		return equalityRef{p.keys, l}, true
	case constNode:
		if l.v.k == kString || l.v.k == kBool || l.v.isNumber() {
			return equalityRef{p.keys, l}, true
		}
	}
	return equalityRef{}, false
}
