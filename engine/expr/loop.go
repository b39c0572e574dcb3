package expr

// stopRule tells when a macro's loop ends early.
type stopRule uint8

const (
	stopNever  stopRule = iota
	stopFalse           // all: the accumulator is false
	stopTruthy          // exists: the accumulator is true, or counts as true
)

// loopNode is an expanded macro: all, exists, exists_one, map or filter.
type loopNode struct {
	over                    node
	init, step, result      node
	iterSlot, iter2Slot     int // iter2Slot is -1 without a second variable
	accuSlot                int
	stop                    stopRule
	weight                  int  // nodes in step: the cost of one turn
	appendCond, appendValue node // step is: appendCond ? accu + [appendValue] : accu
}

func (n *loopNode) eval(c *ctx) value {
	over := n.over.eval(c)
	var keys, vals []value
	switch over.k {
	case kErr, kMissing:
		return over
	case kList:
		c.charge(len(over.s) / bytesPerCost)
		vals = over.elements()
	case kMap:
		c.charge(len(over.s) / bytesPerCost)
		for _, e := range over.entries() {
			keys, vals = append(keys, e.key), append(vals, e.val)
		}
	default:
		return errorf("expression of type '%s' cannot be range of a comprehension", over.k)
	}
	if n.appendValue != nil {
		return n.collect(c, keys, vals)
	}
	c.locals[n.accuSlot] = n.init.eval(c)
	for i := range vals {
		if !c.charge(n.weight) {
			break
		}
		n.bind(c, keys, vals, i)
		accu := n.step.eval(c)
		c.locals[n.accuSlot] = accu
		if n.stop == stopFalse && accu.isFalse() || n.stop == stopTruthy && accu.truthy() {
			break
		}
	}
	return n.result.eval(c)
}

// bind sets the loop's variables: a list's element or a map's key; with two
// variables index and element, or key and value.
func (n *loopNode) bind(c *ctx, keys, vals []value, i int) {
	if n.iter2Slot < 0 {
		if keys != nil {
			c.locals[n.iterSlot] = keys[i]
		} else {
			c.locals[n.iterSlot] = vals[i]
		}
		return
	}
	c.locals[n.iter2Slot] = vals[i]
	if keys != nil {
		c.locals[n.iterSlot] = keys[i]
	} else {
		c.locals[n.iterSlot] = intValue(int64(i))
	}
}

// collect is the loop of map and filter, which would be quadratic if every turn
// made a new list.
func (n *loopNode) collect(c *ctx, keys, vals []value) value {
	var out []value
	for i := range vals {
		if !c.charge(n.weight) {
			break
		}
		n.bind(c, keys, vals, i)
		if n.appendCond != nil && !n.appendCond.eval(c).truthy() {
			continue
		}
		v := n.appendValue.eval(c)
		if v.k == kErr {
			return v
		}
		out = append(out, v)
	}
	return listValue(out)
}
