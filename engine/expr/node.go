package expr

import "cel.dev/cel-go/common/operators"

const (
	opLess      = operators.Less
	opLessEq    = operators.LessEquals
	opGreater   = operators.Greater
	opGreaterEq = operators.GreaterEquals
)

// node is one operation of a compiled expression.
type node interface {
	eval(c *ctx) value
}

type (
	constNode struct{ v value }
	// litNode is a literal that differs between expressions of the same shape.
	litNode struct{ i int }
	// pathNode is an attribute of a variable, like event.data.id.
	pathNode struct {
		root, slot int
		keys       []string
	}
	hasPathNode struct{ path *pathNode }
	selectNode  struct {
		operand node
		field   string
		test    bool // has(operand.field)
	}
	indexNode struct{ operand, index node }
	localNode struct{ slot int }
	andNode   struct{ a, b node }
	orNode    struct{ a, b node }
	notNode   struct{ a node }
	condNode  struct{ cond, then, els node }
	equalNode struct {
		a, b   node
		negate bool
	}
	orderNode struct {
		op   string
		a, b node
	}
	addNode  struct{ a, b node }
	inNode   struct{ a, b node }
	listNode struct{ elems []node }
	mapNode  struct{ keys, vals []node }
	callNode struct {
		name string
		fn   builtin
		args []node
	}
)

func (n constNode) eval(*ctx) value { return n.v }
func (n litNode) eval(c *ctx) value { return c.lits[n.i] }
func (n localNode) eval(c *ctx) value {
	return c.locals[n.slot]
}

func (n *pathNode) eval(c *ctx) value {
	v, _ := c.attribute(n)
	return v
}

func (n hasPathNode) eval(c *ctx) value {
	_, ok := c.attribute(n.path)
	return boolValue(ok)
}

func (n *selectNode) eval(c *ctx) value {
	v := n.operand.eval(c)
	if v.k == kErr {
		return v
	}
	if v.k != kMap {
		if n.test {
			return vFalse
		}
		return missing
	}
	c.charge(len(v.s) / bytesPerCost)
	f, ok := v.field(n.field)
	if n.test {
		return boolValue(ok)
	}
	return f
}

func (n *indexNode) eval(c *ctx) value {
	v := n.operand.eval(c)
	i := n.index.eval(c)
	switch {
	case v.k == kErr:
		return v
	case i.k == kErr:
		return i
	}
	c.charge(len(v.s) / bytesPerCost)
	switch v.k {
	case kMap:
		f, _ := v.lookup(i)
		return f
	case kList:
		switch i.k {
		case kInt:
			return v.at(i.int())
		case kUint:
			if i.num < 1<<62 {
				return v.at(int64(i.num))
			}
		case kDouble:
			if f := i.double(); f == float64(int64(f)) {
				return v.at(int64(f))
			}
		}
	}
	return missing
}

// eval is CEL's logic when both sides are booleans; otherwise the first falsy
// operand, or the last (spec 03 §20.3).
func (n *andNode) eval(c *ctx) value {
	a := n.a.eval(c)
	if a.truthy() {
		return n.b.eval(c)
	}
	if a.k == kErr {
		if b := n.b.eval(c); b.isFalse() {
			return b
		}
	}
	return a
}

// eval is CEL's logic when both sides are booleans; otherwise the first truthy
// operand, or the last.
func (n *orNode) eval(c *ctx) value {
	if a := n.a.eval(c); a.truthy() {
		return a
	}
	return n.b.eval(c)
}

func (n *notNode) eval(c *ctx) value {
	switch a := n.a.eval(c); a.k {
	case kBool:
		return boolValue(!a.bool())
	case kErr:
		return a
	case kMissing:
		return vFalse
	default:
		return noOverload(operators.LogicalNot, a.k)
	}
}

func (n *condNode) eval(c *ctx) value {
	if n.cond.eval(c).truthy() {
		return n.then.eval(c)
	}
	return n.els.eval(c)
}

func (n *equalNode) eval(c *ctx) value {
	v := equal(c, n.a.eval(c), n.b.eval(c))
	if n.negate && v.k == kBool {
		return boolValue(!v.bool())
	}
	return v
}

func (n *orderNode) eval(c *ctx) value {
	return order(c, n.op, n.a.eval(c), n.b.eval(c))
}

func (n *addNode) eval(c *ctx) value { return add(c, n.a.eval(c), n.b.eval(c)) }

func (n *inNode) eval(c *ctx) value {
	a, b := n.a.eval(c), n.b.eval(c)
	switch {
	case a.k == kErr:
		return a
	case b.k == kErr:
		return b
	case a.k == kMissing || b.k == kMissing:
		return vFalse
	case b.k == kMap:
		c.charge(len(b.s) / bytesPerCost)
		_, ok := b.lookup(a)
		return boolValue(ok)
	case b.k != kList:
		return noOverload(operators.In, a.k, b.k)
	}
	if !c.charge(len(b.s) / bytesPerCost) {
		return vFalse
	}
	for _, e := range b.elements() {
		if !c.charge(1) {
			break
		}
		if same(c, a, e) {
			return vTrue
		}
	}
	return vFalse
}

func (n *listNode) eval(c *ctx) value {
	vs := make([]value, len(n.elems))
	for i, e := range n.elems {
		if vs[i] = e.eval(c); vs[i].k == kErr {
			return vs[i]
		}
	}
	return listValue(vs)
}

func (n *mapNode) eval(c *ctx) value {
	es := make([]mapEntry, 0, len(n.keys))
	for i := range n.keys {
		k, v := n.keys[i].eval(c), n.vals[i].eval(c)
		switch {
		case k.k == kErr:
			return k
		case v.k == kErr:
			return v
		}
		switch k.k {
		case kBool, kInt, kUint, kString:
		case kDouble:
			return errorf("unsupported key type: double")
		default:
			return errorf("unsupported key type: %s", k.k)
		}
		if _, dup := (value{k: kMap, ref: es}).lookup(k); dup {
			return errorf("repeated key in map literal")
		}
		es = append(es, mapEntry{k, v})
	}
	return value{k: kMap, ref: es}
}

// A call needs all its arguments: an error is passed on, a missing one makes the
// result false (spec 03 §20.4).
func (n *callNode) eval(c *ctx) value {
	var buf [3]value
	args := buf[:0]
	if len(n.args) > len(buf) {
		args = make([]value, 0, len(n.args))
	}
	absent := false
	for _, a := range n.args {
		v := a.eval(c)
		if v.k == kErr {
			return v
		}
		absent = absent || v.k == kMissing
		args = append(args, v)
	}
	if absent && !n.fn.takesMissing {
		return vFalse
	}
	return n.fn.call(c, args)
}
