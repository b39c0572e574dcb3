package search

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"ingot/engine/expr"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// grammar parses without expanding macros, so that they can be told from functions.
var grammar = sync.OnceValue(func() *cel.Env {
	env, err := cel.NewEnv(cel.ClearMacros(), cel.ParserExpressionSizeLimit(MaxText))
	if err != nil {
		panic(fmt.Sprintf("search: CEL environment: %v", err)) // constant input
	}
	return env
})

// macros are the names that CEL gives a meaning of their own.
var macros = map[string]bool{
	"has": true, "all": true, "exists": true, "exists_one": true, "existsOne": true, "map": true, "filter": true,
}

// allowed are the operators of a search.
var allowed = map[string]bool{
	operators.Equals: true, operators.NotEquals: true, operators.Less: true, operators.LessEquals: true,
	operators.Greater: true, operators.GreaterEquals: true, operators.LogicalAnd: true, operators.LogicalOr: true,
	operators.LogicalNot: true, operators.Negate: true, operators.Index: true,
}

// eventFields are what a search reads of an event.
var eventFields = map[string]bool{"id": true, "name": true, "v": true, "ts": true, "data": true}

// parseLine reads one expression.
func parseLine(source string) (line, error) {
	if source == "" {
		return line{}, ErrSyntax
	}
	parsed, issues := grammar().Parse(source)
	if issues.Err() != nil {
		text := issues.Err().Error()
		if all := issues.Errors(); len(all) > 0 {
			text = all[0].Message
		}
		return line{}, errors.New(text + "\n | " + source)
	}
	native := parsed.NativeRep()
	v := &visitor{info: native.SourceInfo()}
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(v.visit))
	switch {
	case v.macro:
		return line{}, ErrMacros
	case v.unsupported:
		return line{}, ErrSyntax
	case !v.line.events && !v.line.outputs:
		return v.line, nil // it reads nothing of a run
	case v.unknown:
		return line{}, ErrSyntax
	}
	cond, err := expr.Compile(v.rewrite(source))
	if err != nil {
		return line{}, ErrSyntax
	}
	v.line.cond = cond
	return v.line, nil
}

// visitor finds out what an expression reads.
type visitor struct {
	info                        *ast.SourceInfo
	line                        line
	macro, unsupported, unknown bool
	// at are the places, in code points, of the variables that package expr does not have.
	at []int
}

func (v *visitor) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		name := e.AsCall().FunctionName()
		v.macro = v.macro || macros[name]
		v.unsupported = v.unsupported || !allowed[name]
	case ast.IdentKind:
		switch e.AsIdent() {
		case "output", "error":
			v.line.outputs = true
			if r, ok := v.info.GetOffsetRange(e.ID()); ok {
				v.at = append(v.at, int(r.Start))
			}
		case "event": // counted with its field
		default:
			v.unknown = true
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == "event" {
			if eventFields[s.FieldName()] {
				v.line.events = true
			} else {
				v.unknown = true
			}
		}
	case ast.LiteralKind:
	default:
		v.unsupported = true
	}
}

// rewrite gives outputs and errors a place in what package expr knows: the variable async.
func (v *visitor) rewrite(source string) string {
	runes := []rune(source)
	slices.Sort(v.at)
	for _, at := range slices.Backward(v.at) {
		runes = slices.Insert(runes, at, []rune("async.")...)
	}
	return string(runes)
}
