package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Interpolate fixes the values of `event.…` into src and returns an expression
// text over `async` only (spec 03 §20.5). An attribute that the event lacks
// becomes null. "false" means that nothing can match. The text compiles; an error
// is src's own, or says that the text with the values became too long.
func Interpolate(src string, event map[string]any) (string, error) {
	return interpolate(src, func(c *ctx) { c.roots[rootEvent].m = event })
}

// InterpolateJSON is Interpolate with the event as JSON text.
func InterpolateJSON(src string, event []byte) (string, error) {
	return interpolate(src, func(c *ctx) { c.roots[rootEvent].json = view(event) })
}

// plan is what can be said about an expression before the event is known.
type plan struct {
	expr  ast.Expr
	nodes map[int64]*planNode
}

type planNode struct {
	event bool  // reads the event
	fold  *Expr // the node alone, when it reads nothing but the event
	text  text  // the node printed, when it does not read the event
}

func interpolate(src string, bind func(*ctx)) (string, error) {
	if !strings.Contains(src, "event") {
		return src, nil
	}
	p, err := planOf(src)
	if err != nil {
		return "", err
	}
	if !p.nodes[p.expr.ID()].event && !strings.Contains(src, "event.") {
		return src, nil
	}
	for _, dyn := range []bool{false, true} {
		// With dyn: a value may have a type that its place does not take, e.g.
		// x.startsWith(1.0). That is an error at run time, not of the text.
		r := reducer{plan: p, bind: bind, dyn: dyn, left: maxSource}
		out := r.print()
		if r.left < 0 {
			return "", &CompileError{fmt.Sprintf("expression code point size exceeds limit with the event's values: limit %d", maxSource)}
		}
		if _, err = Compile(out); err == nil {
			return out, nil
		}
	}
	return "", err
}

func planOf(src string) (*plan, error) {
	if p, ok := planCache.getString(src); ok {
		return p, nil
	}
	if _, err := Compile(src); err != nil {
		return nil, err
	}
	e, err := parseRaw(src)
	if err != nil {
		return nil, err
	}
	p := &plan{expr: e, nodes: map[int64]*planNode{}}
	a := analysis{plan: p}
	a.visit(e)
	planCache.put(src, p)
	return p, nil
}

// analysis finds the parts of an expression that depend on the event alone.
type analysis struct {
	plan  *plan
	scope []string // variables of the macros around
}

// reads is what a node depends on.
type reads struct {
	event bool
	other bool // async, vars or the clock
	local int  // the outermost macro variable, as an index into the scope
}

const noLocal = 1 << 30

func (r *reads) join(o reads) {
	r.event, r.other, r.local = r.event || o.event, r.other || o.other, min(r.local, o.local)
}

func (a *analysis) visit(e ast.Expr) reads {
	r := reads{local: noLocal}
	switch e.Kind() {
	case ast.IdentKind:
		r = a.ident(e.AsIdent())
	case ast.SelectKind:
		r.join(a.visit(e.AsSelect().Operand()))
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			r.join(a.visit(x))
		}
	case ast.MapKind:
		for _, x := range e.AsMap().Entries() {
			r.join(a.visit(x.AsMapEntry().Key()))
			r.join(a.visit(x.AsMapEntry().Value()))
		}
	case ast.CallKind:
		r = a.call(e)
	}
	n := &planNode{event: r.event}
	switch {
	case !r.event:
		n.text = printAll(e)
	case !r.other && r.local >= len(a.scope):
		// An expression whose parts compile compiles; if not, it is left as it is.
		n.fold, _ = Compile(printAll(e).s)
	}
	a.plan.nodes[e.ID()] = n
	return r
}

func (a *analysis) ident(name string) reads {
	for i := len(a.scope) - 1; i >= 0; i-- {
		if a.scope[i] == name {
			return reads{local: i}
		}
	}
	switch strings.TrimPrefix(name, ".") {
	case rootNames[rootEvent]:
		return reads{event: true, local: noLocal}
	case rootNames[rootAsync], rootNames[rootVars]:
		return reads{other: true, local: noLocal}
	}
	return reads{local: noLocal}
}

func (a *analysis) call(e ast.Expr) reads {
	call := e.AsCall()
	args := call.Args()
	r := reads{local: noLocal, other: clockFunctions[call.FunctionName()]}
	if call.IsMemberFunction() {
		r.join(a.visit(call.Target()))
	}
	if isMacro(e) && call.IsMemberFunction() && args[0].Kind() == ast.IdentKind {
		a.plan.nodes[args[0].ID()] = &planNode{text: printAll(args[0])}
		a.scope = append(a.scope, args[0].AsIdent())
		defer func() { a.scope = a.scope[:len(a.scope)-1] }()
		args = args[1:]
	}
	for _, x := range args {
		r.join(a.visit(x))
	}
	return r
}

func printAll(e ast.Expr) text { return printExpr(e, printAll) }

// reducer evaluates what depends on the event alone and prints the rest.
type reducer struct {
	plan *plan
	bind func(*ctx)
	dyn  bool // hide the types of the values from the type checker
	left int  // bytes that literals may still take
}

// term is a part of the result: a value, or a text.
type term struct {
	known bool
	v     value
	text  text
}

func (r *reducer) print() string {
	t := r.reduce(r.plan.expr)
	if t.known && t.v.k == kMissing {
		t.v = vFalse // unknown as a whole
	}
	return r.text(t).s
}

func (r *reducer) text(t term) text {
	if !t.known {
		return t.text
	}
	s := printLiteral(t.v, &r.left)
	if r.dyn {
		s = text{"dyn(" + s.s + ")", precPrimary}
	}
	return s
}

func (r *reducer) reduce(e ast.Expr) term {
	n := r.plan.nodes[e.ID()]
	if !n.event {
		return term{text: n.text}
	}
	if n.fold != nil {
		c := newCtx(n.fold)
		r.bind(c)
		v, err := c.run()
		c.release()
		if err == nil {
			return term{known: true, v: v}
		}
		// An error at run time: it will be one again, with the values in place.
	}
	if e.Kind() == ast.CallKind {
		args := e.AsCall().Args()
		switch name := e.AsCall().FunctionName(); name {
		case operators.LogicalAnd, operators.LogicalOr:
			return r.logic(name, args[0], args[1])
		case operators.LogicalNot:
			if t := r.reduce(args[0]); t.known && t.v.k == kBool {
				return term{known: true, v: boolValue(!t.v.bool())}
			}
		case operators.Conditional:
			if t := r.reduce(args[0]); t.known {
				if t.v.truthy() {
					return r.reduce(args[1])
				}
				return r.reduce(args[2])
			}
		case operators.Equals, operators.NotEquals:
			a, b := r.reduce(args[0]), r.reduce(args[1])
			if a.known && !b.known && (a.v.k == kNull || a.v.k == kMissing) {
				a, b = b, a // the reference prints null on the right
			}
			symbol, _ := operators.FindReverseBinaryOperator(name)
			return term{text: printBinary(symbol, precRelation, r.text(a), r.text(b))}
		}
	}
	return term{text: printExpr(e, func(x ast.Expr) text { return r.text(r.reduce(x)) })}
}

// logic drops known operands where that changes no result: && gives the first
// falsy operand or the last, || the first truthy one or the last.
func (r *reducer) logic(op string, x, y ast.Expr) term {
	a := r.reduce(x)
	and := op == operators.LogicalAnd
	if a.known {
		if a.v.truthy() == and {
			return r.reduce(y)
		}
		return a
	}
	b := r.reduce(y)
	if b.known && b.v.k == kBool && isBoolean(x) {
		switch {
		case b.v.bool() != and:
			return b // … && false, … || true
		case and:
			return a // … && true
		}
	}
	symbol, _ := operators.FindReverseBinaryOperator(op)
	return term{text: printBinary(symbol, precedences[op], r.text(a), r.text(b))}
}

// isBoolean tells whether a node gives a boolean or an error, never missing.
func isBoolean(e ast.Expr) bool {
	if e.Kind() != ast.CallKind {
		return false
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		return isBoolean(args[0]) && isBoolean(args[1])
	case operators.Equals, operators.NotEquals, operators.In, operators.LogicalNot,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return true
	}
	return false
}
