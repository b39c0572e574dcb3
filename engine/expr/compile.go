package expr

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// program is what expressions of one shape share.
type program struct {
	root       node
	tries      [numRoots]*trie
	numSlots   int
	numLocals  int
	equalities []equalityRef
}

// scratch is for compile. What an Expr keeps is copied out.
var scratch = sync.Pool{New: func() any { return new(shape) }}

func compile(src string) (_ *Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &CompileError{fmt.Sprintf("internal: %v", p)}
		}
	}()
	sh := scratch.Get().(*shape)
	defer func() {
		clear(sh.lits) // they are views of src
		scratch.Put(sh)
	}()
	sh.reset()
	lifted := sh.lift(src)
	if lifted {
		if prog, ok := shapeCache.get(sh.key); ok {
			return &Expr{src, prog, slices.Clone(sh.lits)}, nil
		}
	}
	if prog, ok := textCache.getString(src); ok {
		return &Expr{src, prog, nil}, nil
	}
	checked, iss := celEnv().Compile(src)
	if iss.Err() != nil {
		return nil, compileError(iss.Err())
	}
	a := checked.NativeRep()
	if lifted {
		prog, whole, err := build(a, src, sh)
		if err != nil {
			return nil, err
		}
		if whole {
			shapeCache.put(string(sh.key), prog)
			return &Expr{src, prog, slices.Clone(sh.lits)}, nil
		}
	}
	prog, _, err := build(a, src, &shape{})
	if err != nil {
		return nil, err
	}
	textCache.put(src, prog)
	return &Expr{src, prog, nil}, nil
}

// builder turns a checked syntax tree into a program.
type builder struct {
	ast    *ast.AST
	prog   *program
	scope  []scopeVar
	lits   []value
	litAt  map[int32]int // code point offset of a literal -> its index
	claims []int
	nodes  int
}

type scopeVar struct {
	name string
	slot int
}

// build makes the program. With literals lifted, whole tells whether each of them
// stands for exactly one literal of the tree; if not, the program must not be
// shared with other literals.
func build(a *ast.AST, src string, sh *shape) (prog *program, whole bool, err error) {
	b := &builder{ast: a, prog: &program{}, lits: sh.lits, claims: make([]int, len(sh.at))}
	b.litAt = make(map[int32]int, len(sh.at))
	for i, at := range sh.at {
		b.litAt[int32(utf8.RuneCountInString(src[:at]))] = i
	}
	for i := range b.prog.tries {
		b.prog.tries[i] = newTrie()
	}
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(*CompileError)
			if !ok {
				panic(p)
			}
			prog, whole, err = nil, false, e
		}
	}()
	b.prog.root = b.expr(a.Expr())
	b.prog.equalities = findEqualities(b.prog.root, nil)
	return b.prog, !slices.ContainsFunc(b.claims, func(n int) bool { return n != 1 }), nil
}

// fail ends building; the panic does not leave build.
func (b *builder) fail(e ast.Expr, format string, args ...any) {
	at := b.ast.SourceInfo().GetStartLocation(e.ID())
	panic(&CompileError{fmt.Sprintf("ERROR: <input>:%d:%d: %s", at.Line(), at.Column()+1, fmt.Sprintf(format, args...))})
}

func (b *builder) expr(e ast.Expr) node {
	b.nodes++
	switch e.Kind() {
	case ast.LiteralKind:
		return b.literal(e)
	case ast.IdentKind:
		return b.ident(e)
	case ast.SelectKind:
		return b.selection(e)
	case ast.CallKind:
		return b.call(e)
	case ast.ListKind:
		return &listNode{b.all(e.AsList().Elements())}
	case ast.MapKind:
		n := &mapNode{}
		for _, entry := range e.AsMap().Entries() {
			m := entry.AsMapEntry()
			n.keys = append(n.keys, b.expr(m.Key()))
			n.vals = append(n.vals, b.expr(m.Value()))
		}
		return n
	case ast.ComprehensionKind:
		return b.loop(e)
	case ast.StructKind:
		b.fail(e, "message construction is not supported: '%s'", e.AsStruct().TypeName())
	}
	b.fail(e, "unsupported expression")
	return nil
}

func (b *builder) all(es []ast.Expr) []node {
	ns := make([]node, len(es))
	for i, e := range es {
		ns[i] = b.expr(e)
	}
	return ns
}

func (b *builder) literal(e ast.Expr) node {
	v := fromRef(e.AsLiteral())
	if at, ok := b.ast.SourceInfo().GetOffsetRange(e.ID()); ok {
		if i, ok := b.litAt[at.Start]; ok && b.lits[i] == v {
			b.claims[i]++
			return litNode{i}
		}
	}
	return constNode{v}
}

func (b *builder) ident(e ast.Expr) node {
	name := strings.TrimPrefix(e.AsIdent(), ".")
	if slot, ok := b.local(e.AsIdent()); ok {
		return localNode{slot}
	}
	if root := slices.Index(rootNames[:], name); root >= 0 {
		return b.path(root, nil)
	}
	return b.typeName(e, name)
}

// typeName is an identifier that names a type, as in type(x) == string.
func (b *builder) typeName(e ast.Expr, name string) node {
	if r, ok := b.ast.ReferenceMap()[e.ID()]; ok && r.Name != "" {
		name = r.Name
	}
	if v, ok := celEnv().CELTypeProvider().FindIdent(name); ok {
		if t, ok := v.(*types.Type); ok {
			return constNode{value{k: kRef, ref: ref.Type(t)}}
		}
		return constNode{fromRef(v)}
	}
	b.fail(e, "undeclared reference to '%s' (in container '')", name)
	return nil
}

func (b *builder) local(name string) (slot int, ok bool) {
	for i := len(b.scope) - 1; i >= 0; i-- {
		if b.scope[i].name == name {
			return b.scope[i].slot, true
		}
	}
	return 0, false
}

// path is an attribute of a variable; equal paths share a slot.
func (b *builder) path(root int, keys []string) *pathNode {
	slot := b.prog.tries[root].insert(keys, b.prog.numSlots)
	if slot == b.prog.numSlots {
		b.prog.numSlots++
	}
	return &pathNode{root, slot, keys}
}

// asPath takes a chain of selections and constant indexes below a variable.
func (b *builder) asPath(e ast.Expr) (root int, keys []string, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		if _, ok := b.local(e.AsIdent()); ok {
			return 0, nil, false
		}
		root = slices.Index(rootNames[:], strings.TrimPrefix(e.AsIdent(), "."))
		return root, nil, root >= 0
	case ast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() {
			return 0, nil, false
		}
		root, keys, ok = b.asPath(s.Operand())
		return root, append(keys, s.FieldName()), ok
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			return 0, nil, false
		}
		key, isString := call.Args()[1].AsLiteral().(types.String)
		if !isString {
			return 0, nil, false
		}
		root, keys, ok = b.asPath(call.Args()[0])
		return root, append(keys, string(key)), ok
	}
	return 0, nil, false
}

func (b *builder) selection(e ast.Expr) node {
	s := e.AsSelect()
	if root, keys, ok := b.asPath(s.Operand()); ok {
		p := b.path(root, append(keys, s.FieldName()))
		if s.IsTestOnly() {
			return hasPathNode{p}
		}
		return p
	}
	if r, ok := b.ast.ReferenceMap()[e.ID()]; ok && r.Name != "" {
		return b.typeName(e, r.Name)
	}
	return &selectNode{b.expr(s.Operand()), s.FieldName(), s.IsTestOnly()}
}

func (b *builder) call(e ast.Expr) node {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	switch name {
	case operators.LogicalAnd:
		return &andNode{b.expr(args[0]), b.expr(args[1])}
	case operators.LogicalOr:
		return &orNode{b.expr(args[0]), b.expr(args[1])}
	case operators.LogicalNot:
		return &notNode{b.expr(args[0])}
	case operators.Conditional:
		return &condNode{b.expr(args[0]), b.expr(args[1]), b.expr(args[2])}
	case operators.Equals, operators.NotEquals:
		return &equalNode{b.expr(args[0]), b.expr(args[1]), name == operators.NotEquals}
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return &orderNode{name, b.expr(args[0]), b.expr(args[1])}
	case operators.Add:
		return &addNode{b.expr(args[0]), b.expr(args[1])}
	case operators.In, operators.OldIn:
		return &inNode{b.expr(args[0]), b.expr(args[1])}
	case operators.Index:
		if root, keys, ok := b.asPath(e); ok {
			return b.path(root, keys)
		}
		return &indexNode{b.expr(args[0]), b.expr(args[1])}
	}
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	fn, ok := builtins[name]
	if !ok {
		if _, ok = stdFunctions[name]; !ok {
			b.fail(e, "undeclared reference to '%s' (in container '')", name)
		}
		fn = builtin{call: std(name)}
	}
	if name == "matches" && args[1].Kind() == ast.LiteralKind {
		if pattern, ok := args[1].AsLiteral().(types.String); ok {
			fn = compileMatches(string(pattern))
		}
	}
	return &callNode{name, fn, b.all(args)}
}

func (b *builder) loop(e ast.Expr) node {
	c := e.AsComprehension()
	n := &loopNode{over: b.expr(c.IterRange()), init: b.expr(c.AccuInit())}
	outer := len(b.scope)
	n.accuSlot = b.declare(c.AccuVar())
	result := len(b.scope)
	n.iterSlot = b.declare(c.IterVar())
	before := b.nodes
	n.stop = b.stopRule(c)
	if cond, elem, ok := appendStep(c); ok {
		if cond != nil {
			n.appendCond = b.expr(cond)
		}
		n.appendValue = b.expr(elem)
	} else {
		n.step = b.expr(c.LoopStep())
	}
	n.weight = 1 + b.nodes - before
	b.scope = b.scope[:result]
	n.result = b.expr(c.Result())
	b.scope = b.scope[:outer]
	return n
}

func (b *builder) declare(name string) int {
	slot := b.prog.numLocals
	b.prog.numLocals++
	b.scope = append(b.scope, scopeVar{name, slot})
	return slot
}

// stopRule recognises the loop conditions that the standard macros expand to.
func (b *builder) stopRule(c ast.ComprehensionExpr) stopRule {
	cond := c.LoopCondition()
	if cond.Kind() == ast.LiteralKind && cond.AsLiteral() == types.True {
		return stopNever
	}
	if cond.Kind() == ast.CallKind && cond.AsCall().FunctionName() == operators.NotStrictlyFalse {
		arg := cond.AsCall().Args()[0]
		if arg.Kind() == ast.IdentKind && arg.AsIdent() == c.AccuVar() {
			return stopFalse
		}
		if arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == operators.LogicalNot {
			return stopTruthy
		}
	}
	b.fail(cond, "unsupported loop condition")
	return stopNever
}

// appendStep recognises the loops of map and filter: cond ? accu + [elem] : accu.
func appendStep(c ast.ComprehensionExpr) (cond, elem ast.Expr, ok bool) {
	step := c.LoopStep()
	isAccu := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	if !isAccu(c.Result()) || c.AccuInit().Kind() != ast.ListKind || step.Kind() != ast.CallKind {
		return nil, nil, false
	}
	if step.AsCall().FunctionName() == operators.Conditional {
		args := step.AsCall().Args()
		if !isAccu(args[2]) || args[1].Kind() != ast.CallKind {
			return nil, nil, false
		}
		cond, step = args[0], args[1]
	}
	call := step.AsCall()
	if call.FunctionName() != operators.Add || !isAccu(call.Args()[0]) || call.Args()[1].Kind() != ast.ListKind {
		return nil, nil, false
	}
	elems := call.Args()[1].AsList().Elements()
	if len(elems) != 1 {
		return nil, nil, false
	}
	return cond, elems[0], true
}
