// Package expr compiles and evaluates the CEL expressions of function
// configurations and waits, with the reference's loose typing and its rules for
// missing attributes (spec 03 §20), interpolates the triggering event into wait
// conditions, and finds the equality predicates by which waits are indexed.
//
// cel-go parses and type-checks; evaluation is this package's own, over the JSON
// text of the events. A trigger expression is evaluated for every event of its
// name, and almost all of them read one or two attributes, so nothing but those
// is decoded.
//
// What the results mean (a key, a priority, "not matched" on error) is up to the
// callers; no rule of the engine lives here.
package expr

import (
	"fmt"
	"time"
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src  string
	prog *program
	lits []value
}

// Source returns the text the expression was compiled from.
func (e *Expr) Source() string { return e.src }

// Vars are the variables an expression can see. A nil map is a missing variable.
type Vars struct {
	Event map[string]any
	Async map[string]any
	// Now is the clock of now(), now_plus() and now_minus(). It is given, so that
	// evaluation is deterministic.
	Now time.Time
}

// JSON are the same variables as event JSON. Empty text is a missing variable.
// The text must be valid JSON, and unchanged during the call.
type JSON struct {
	Event, Async []byte
	// Canonical says that no object has a key twice, as in the events that functions see:
	// then no more of the text is read than has to be.
	Canonical bool
	Now       time.Time
}

// Compile parses and checks src (cached by source). The error text is the
// reference's: "error compiling expression: <cel text>".
func Compile(src string) (*Expr, error) {
	return compile(src)
}

// Bool evaluates in a boolean context; a non-boolean result is an error. An
// expression that is unknown as a whole is false (spec 03 §20.4).
func (e *Expr) Bool(v Vars) (bool, error) {
	c := newCtx(e)
	defer c.release()
	c.setVars(v)
	return c.runBool()
}

// BoolJSON is Bool over JSON text, without decoding what e does not use.
func (e *Expr) BoolJSON(v JSON) (bool, error) {
	c := newCtx(e)
	defer c.release()
	c.setJSON(v)
	return c.runBool()
}

// Value evaluates to a plain Go value: nil, bool, int64, uint64, float64,
// string, []byte, []any, map[string]any. Timestamps, durations and types give
// their text. An expression that is unknown as a whole is false.
func (e *Expr) Value(v Vars) (any, error) {
	c := newCtx(e)
	defer c.release()
	c.setVars(v)
	return c.runValue()
}

// ValueJSON is Value over JSON text.
func (e *Expr) ValueJSON(v JSON) (any, error) {
	c := newCtx(e)
	defer c.release()
	c.setJSON(v)
	return c.runValue()
}

// AppendJSON is ValueJSON for values that are strings: it appends the value to dst. If it is
// not a string, isString is false, and other the value.
func (e *Expr) AppendJSON(dst []byte, v JSON) (text []byte, isString bool, other any, err error) {
	c := newCtx(e)
	defer c.release()
	c.setJSON(v)
	r, err := c.run()
	switch {
	case err != nil:
		return dst, false, nil, err
	case r.k == kString:
		return append(dst, r.s...), true, nil, nil
	}
	other, err = r.toAny(c)
	return dst, false, other, err
}

func (c *ctx) setVars(v Vars) {
	c.roots[rootEvent].m, c.roots[rootAsync].m, c.now = v.Event, v.Async, v.Now
}

func (c *ctx) setJSON(v JSON) {
	c.roots[rootEvent].json, c.roots[rootAsync].json, c.now = view(v.Event), view(v.Async), v.Now
	c.unique = v.Canonical
}

func (c *ctx) runBool() (bool, error) {
	v, err := c.run()
	switch {
	case err != nil:
		return false, err
	case v.k == kBool:
		return v.bool(), nil
	case v.k == kMissing:
		return false, nil
	default:
		return false, fmt.Errorf("returned type %s: expression errored", v.k)
	}
}

func (c *ctx) runValue() (any, error) {
	v, err := c.run()
	if err != nil {
		return nil, err
	}
	return v.toAny(c)
}

// run evaluates the whole expression. A panic would be a defect of this package
// or of cel-go; it must not take the server with it, for expressions and events
// both come from outside.
func (c *ctx) run() (v value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("expression errored: internal: %v", p)
		}
	}()
	v = c.prog.root.eval(c)
	if c.left < 0 {
		return missing, ErrCost
	}
	if v.k == kErr {
		return missing, fmt.Errorf("expression errored: %w", v.err())
	}
	return v, nil
}
