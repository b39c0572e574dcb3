package expr

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// PolicyError is a valid expression that a restricted place does not take.
type PolicyError struct{ text string }

func (e *PolicyError) Error() string { return "validation failed: " + e.text }

// macros are the names that cel-go expands.
var macros = map[string]bool{
	"has": true, "all": true, "exists": true, "exists_one": true, "existsOne": true, "map": true, "filter": true,
}

// restricted are the operators and functions of the restrictive policy (spec 03 §20.6).
var restricted = map[string]bool{
	operators.Equals: true, operators.NotEquals: true,
	operators.Less: true, operators.LessEquals: true,
	operators.Greater: true, operators.GreaterEquals: true,
	operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true,
	operators.Conditional: true, operators.In: true, operators.Index: true,
	"int": true, "uint": true, "double": true,
}

// ValidateRestricted applies the policy of cancel conditions (spec 03 §20.6):
// no macros, only comparison, logic, index and conversions. It returns a
// *CompileError, a *PolicyError or nil.
func ValidateRestricted(src string) error {
	if _, err := Compile(src); err != nil {
		return err
	}
	raw, err := parseRaw(src)
	if err != nil {
		return err
	}
	var found error
	ast.PostOrderVisit(raw, ast.NewExprVisitor(func(e ast.Expr) {
		if found != nil || e.Kind() != ast.CallKind {
			return
		}
		switch name := e.AsCall().FunctionName(); {
		case isMacro(e):
			found = &PolicyError{fmt.Sprintf("macros are disallowed (uses '%s')", name)}
		case !restricted[name]:
			found = &PolicyError{fmt.Sprintf("function calls are disallowed (uses '%s')", name)}
		}
	}))
	return found
}

// isMacro tells whether a call of a raw syntax tree is a macro.
func isMacro(e ast.Expr) bool {
	call := e.AsCall()
	if call.FunctionName() == "has" {
		return !call.IsMemberFunction()
	}
	return macros[call.FunctionName()] && call.IsMemberFunction() && len(call.Args()) >= 2
}

// parseRaw parses without expanding macros.
func parseRaw(src string) (ast.Expr, error) {
	parsed, iss := rawEnv().Parse(src)
	if iss.Err() != nil {
		return nil, compileError(iss.Err())
	}
	return parsed.NativeRep().Expr(), nil
}
