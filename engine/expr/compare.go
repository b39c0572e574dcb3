package expr

import (
	"cmp"
	"math"
)

// equal is == (spec 03 §20.3, §20.4): numbers compare across kinds, other kinds
// are different, a missing value equals null.
func equal(c *ctx, a, b value) value {
	if a.k == kErr {
		return a
	}
	if b.k == kErr {
		return b
	}
	return boolValue(same(c, a, b))
}

func same(c *ctx, a, b value) bool {
	if a.k == kMissing {
		a.k = kNull
	}
	if b.k == kMissing {
		b.k = kNull
	}
	if a.k != b.k {
		return a.isNumber() && b.isNumber() && compareNumbers(a, b) == 0
	}
	switch a.k {
	case kNull:
		return true
	case kDouble:
		return a.double() == b.double()
	case kString, kBytes:
		c.charge(min(len(a.s), len(b.s)) / bytesPerCost)
		return a.s == b.s
	case kTime:
		return a.time().Equal(b.time())
	case kList:
		return sameList(c, a, b)
	case kMap:
		return sameMap(c, a, b)
	case kRef:
		return a.toRef().Equal(b.toRef()).Value() == true
	default:
		return a.num == b.num
	}
}

func sameList(c *ctx, a, b value) bool {
	c.charge((len(a.s) + len(b.s)) / bytesPerCost)
	xs, ys := a.elements(), b.elements()
	if len(xs) != len(ys) {
		return false
	}
	for i := range xs {
		if !c.charge(1) || !same(c, xs[i], ys[i]) {
			return false
		}
	}
	return true
}

func sameMap(c *ctx, a, b value) bool {
	c.charge((len(a.s) + len(b.s)) / bytesPerCost)
	xs := a.entries()
	if len(xs) != b.size() {
		return false
	}
	for i := range xs {
		if !c.charge(1 + (len(b.s)+len(xs))/bytesPerCost) {
			return false
		}
		y, ok := b.lookup(xs[i].key)
		if !ok || !same(c, xs[i].val, y) {
			return false
		}
	}
	return true
}

// order is one of < <= > >=, chosen by op, over two values.
func order(c *ctx, op string, a, b value) value {
	switch {
	case a.k == kErr:
		return a
	case b.k == kErr:
		return b
	case a.k == kMissing:
		// missing is below everything, even below missing
		return boolValue(op == opLess || op == opLessEq)
	case b.k == kMissing:
		return boolValue(op == opGreater || op == opGreaterEq)
	}
	// null orders as the zero value of the other side's type.
	if a.k == kNull {
		a = zeroFor(b)
	}
	if b.k == kNull {
		b = zeroFor(a)
	}
	var n int
	switch {
	case a.isNumber() && b.isNumber():
		n = compareNumbers(a, b)
		if n == unordered {
			return vFalse
		}
	case a.k != b.k:
		return noOverload(op, a.k, b.k)
	case a.k == kNull:
		n = 0
	case a.k == kBool:
		n = cmp.Compare(a.num, b.num)
	case a.k == kString || a.k == kBytes:
		c.charge(min(len(a.s), len(b.s)) / bytesPerCost)
		n = cmp.Compare(a.s, b.s)
	case a.k == kTime:
		n = a.time().Compare(b.time())
	case a.k == kDuration:
		n = cmp.Compare(a.dur(), b.dur())
	default:
		return noOverload(op, a.k, b.k)
	}
	switch op {
	case opLess:
		return boolValue(n < 0)
	case opLessEq:
		return boolValue(n <= 0)
	case opGreater:
		return boolValue(n > 0)
	default:
		return boolValue(n >= 0)
	}
}

func zeroFor(v value) value {
	switch v.k {
	case kBool, kInt, kUint, kString, kBytes, kDuration:
		return value{k: v.k}
	case kDouble:
		return doubleValue(0)
	default:
		return null
	}
}

// unordered is compareNumbers' answer when one side is NaN.
const unordered = 2

// compareNumbers orders numbers across kinds as CEL does: an integer beside a
// double is compared as a double.
func compareNumbers(a, b value) int {
	switch {
	case a.k == kInt && b.k == kInt:
		return cmp.Compare(a.int(), b.int())
	case a.k == kUint && b.k == kUint:
		return cmp.Compare(a.num, b.num)
	case a.k == kInt && b.k == kUint:
		if a.int() < 0 {
			return -1
		}
		return cmp.Compare(a.num, b.num)
	case a.k == kUint && b.k == kInt:
		return -compareNumbers(b, a)
	}
	x, y := a.asDouble(), b.asDouble()
	if math.IsNaN(x) || math.IsNaN(y) {
		return unordered
	}
	return cmp.Compare(x, y)
}
