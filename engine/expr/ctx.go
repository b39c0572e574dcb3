package expr

import (
	"errors"
	"sync"
	"time"
)

// Evaluation is bounded: each step of a macro's loop costs the number of nodes in
// its body, and each bytesPerCost bytes that an operator has to touch cost one.
const (
	maxCost      = 1 << 20
	bytesPerCost = 64
)

// ErrCost is returned when evaluating an expression would take too long: loops
// over large lists, or operators over large texts.
var ErrCost = errors.New("expression errored: cost limit exceeded")

// The variables, in the order of ctx.roots.
const (
	rootEvent = iota
	rootAsync
	rootVars
	numRoots
)

var rootNames = [numRoots]string{"event", "async", "vars"}

// source is one variable: JSON text, a decoded map, or missing.
type source struct {
	json      string
	m         map[string]any
	projected bool
}

const maxInlineLocals = 6

// ctx is the state of one evaluation.
type ctx struct {
	prog  *program
	lits  []value
	roots [numRoots]source
	now   time.Time
	// unique says that no object of the JSON text has a key twice.
	unique bool

	slots  []string
	locals []value
	left   int
	inline struct {
		slots  [maxInlineSlots]string
		locals [maxInlineLocals]value
	}
}

var ctxPool = sync.Pool{New: func() any { return new(ctx) }}

func newCtx(e *Expr) *ctx {
	c := ctxPool.Get().(*ctx)
	c.prog, c.lits, c.left = e.prog, e.lits, maxCost
	if n := e.prog.numSlots; n <= maxInlineSlots {
		c.slots = c.inline.slots[:n]
	} else {
		c.slots = make([]string, n)
	}
	if n := e.prog.numLocals; n <= maxInlineLocals {
		c.locals = c.inline.locals[:n]
	} else {
		c.locals = make([]value, n)
	}
	return c
}

func (c *ctx) release() {
	// The references go, so that a pooled ctx keeps no event alive.
	clear(c.slots)
	clear(c.locals)
	c.prog, c.lits, c.slots, c.locals = nil, nil, nil, nil
	c.roots = [numRoots]source{}
	ctxPool.Put(c)
}

// charge takes n from the budget and tells whether there is any left.
func (c *ctx) charge(n int) bool {
	if c.left -= n; c.left < 0 {
		c.left = -1
		return false
	}
	return true
}

// attribute is the value of a path below a variable, and whether it exists.
func (c *ctx) attribute(p *pathNode) (value, bool) {
	src := &c.roots[p.root]
	if src.json != "" {
		if !src.projected {
			src.projected = true
			if i := skipSpace(src.json, 0); i < len(src.json) && src.json[i] == '{' {
				c.prog.tries[p.root].take(src.json, i, c.slots, c.unique)
			}
		}
		raw := c.slots[p.slot]
		if raw == "" {
			return missing, false
		}
		return decodeJSON(raw), true
	}
	if src.m == nil {
		return missing, false
	}
	m := src.m
	for i, k := range p.keys {
		x, ok := m[k]
		if !ok {
			return missing, false
		}
		if i == len(p.keys)-1 {
			return fromAny(x), true
		}
		if m, ok = x.(map[string]any); !ok {
			return missing, false
		}
	}
	return fromAny(m), true
}
