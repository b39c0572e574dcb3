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
	iterSlot, accuSlot      int
	stop                    stopRule
	weight                  int  // nodes in step: the cost of one turn
	appendCond, appendValue node // step is: appendCond ? accu + [appendValue] : accu
}

func (n *loopNode) eval(c *ctx) value {
	over := n.over.eval(c)
	var items []value
	switch over.k {
	case kErr, kMissing:
		return over
	case kList:
		c.charge(len(over.s) / bytesPerCost)
		items = over.elements()
	case kMap: // its keys
		c.charge(len(over.s) / bytesPerCost)
		for _, e := range over.entries() {
			items = append(items, e.key)
		}
	default:
		return errorf("expression of type '%s' cannot be range of a comprehension", over.k)
	}
	if n.appendValue != nil {
		return n.collect(c, items)
	}
	c.locals[n.accuSlot] = n.init.eval(c)
	for _, v := range items {
		if !c.charge(n.weight) {
			break
		}
		c.locals[n.iterSlot] = v
		accu := n.step.eval(c)
		c.locals[n.accuSlot] = accu
		if n.stop == stopFalse && accu.isFalse() || n.stop == stopTruthy && accu.truthy() {
			break
		}
	}
	return n.result.eval(c)
}

// collect is the loop of map and filter, which would be quadratic if every turn
// made a new list.
func (n *loopNode) collect(c *ctx, items []value) value {
	var out []value
	for _, v := range items {
		if !c.charge(n.weight) {
			break
		}
		c.locals[n.iterSlot] = v
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
