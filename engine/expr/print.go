package expr

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Precedences of CEL's grammar; an operand that binds less tightly than its place
// needs parentheses.
const (
	precCond = iota + 1
	precOr
	precAnd
	precRelation
	precSum
	precProduct
	precUnary
	precPrimary
)

var precedences = map[string]int{
	operators.LogicalOr: precOr, operators.LogicalAnd: precAnd,
	operators.Equals: precRelation, operators.NotEquals: precRelation,
	operators.Less: precRelation, operators.LessEquals: precRelation,
	operators.Greater: precRelation, operators.GreaterEquals: precRelation, operators.In: precRelation,
	operators.Add: precSum, operators.Subtract: precSum,
	operators.Multiply: precProduct, operators.Divide: precProduct, operators.Modulo: precProduct,
}

// text is a printed expression.
type text struct {
	s    string
	prec int
}

func (t text) at(prec int) string {
	if t.prec < prec {
		return "(" + t.s + ")"
	}
	return t.s
}

// printExpr prints one node of a raw syntax tree (macros not expanded), with its
// operands printed by operand.
func printExpr(e ast.Expr, operand func(ast.Expr) text) text {
	list := func(es []ast.Expr) string {
		parts := make([]string, len(es))
		for i, e := range es {
			parts[i] = operand(e).s
		}
		return strings.Join(parts, ", ")
	}
	switch e.Kind() {
	case ast.LiteralKind:
		left := maxSource
		return printLiteral(fromRef(e.AsLiteral()), &left)
	case ast.IdentKind:
		return text{e.AsIdent(), precPrimary}
	case ast.SelectKind:
		s := e.AsSelect()
		return text{operand(s.Operand()).at(precPrimary) + "." + s.FieldName(), precPrimary}
	case ast.ListKind:
		return text{"[" + list(e.AsList().Elements()) + "]", precPrimary}
	case ast.MapKind:
		var parts []string
		for _, entry := range e.AsMap().Entries() {
			m := entry.AsMapEntry()
			parts = append(parts, operand(m.Key()).s+": "+operand(m.Value()).s)
		}
		return text{"{" + strings.Join(parts, ", ") + "}", precPrimary}
	case ast.CallKind:
		call := e.AsCall()
		name, args := call.FunctionName(), call.Args()
		switch name {
		case operators.Conditional:
			return text{operand(args[0]).at(precOr) + " ? " + operand(args[1]).at(precOr) + " : " + operand(args[2]).s, precCond}
		case operators.Index:
			return text{operand(args[0]).at(precPrimary) + "[" + operand(args[1]).s + "]", precPrimary}
		case operators.LogicalNot:
			return text{"!" + operand(args[0]).at(precUnary), precUnary}
		case operators.Negate:
			return text{"-" + operand(args[0]).at(precPrimary), precUnary}
		}
		if prec, ok := precedences[name]; ok && len(args) == 2 {
			symbol, _ := operators.FindReverseBinaryOperator(name)
			return printBinary(symbol, prec, operand(args[0]), operand(args[1]))
		}
		s := name + "(" + list(args) + ")"
		if call.IsMemberFunction() {
			s = operand(call.Target()).at(precPrimary) + "." + s
		}
		return text{s, precPrimary}
	}
	return text{"null", precPrimary} // not reached: compile refuses all else
}

func printBinary(symbol string, prec int, a, b text) text {
	right := prec + 1
	if prec == precAnd || prec == precOr {
		right = prec // associative, and parsed as a balanced tree
	}
	return text{a.at(prec) + " " + symbol + " " + b.at(right), prec}
}

// cost is what printing v itself takes, without the members of a list or map.
func cost(v value) int {
	if v.k == kList || v.k == kMap {
		return 1 + len(v.s)/bytesPerCost
	}
	return 1 + len(v.s)
}

// printLiteral prints a value as CEL source and takes its length from left. What
// would exceed it is cut off.
func printLiteral(v value, left *int) text {
	if *left -= cost(v); *left < 0 {
		return text{"null", precPrimary}
	}
	switch v.k {
	case kMissing, kNull:
		return text{"null", precPrimary}
	case kBool, kInt:
		s, _ := toText(v)
		return signed(s)
	case kUint:
		return text{strconv.FormatUint(v.num, 10) + "u", precPrimary}
	case kDouble:
		return printDouble(v.double())
	case kString:
		return text{quote(v.s), precPrimary}
	case kBytes:
		var b strings.Builder
		b.WriteString(`b"`)
		for i := range len(v.s) {
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatUint(uint64(v.s[i])|0x100, 16)[1:])
		}
		return text{b.String() + `"`, precPrimary}
	case kList:
		var parts []string
		for _, e := range v.elements() {
			if parts = append(parts, printLiteral(e, left).s); *left < 0 {
				break
			}
		}
		return text{"[" + strings.Join(parts, ", ") + "]", precPrimary}
	case kMap:
		var parts []string
		for _, e := range v.entries() {
			if parts = append(parts, printLiteral(e.key, left).s+": "+printLiteral(e.val, left).s); *left < 0 {
				break
			}
		}
		return text{"{" + strings.Join(parts, ", ") + "}", precPrimary}
	case kTime:
		return text{"timestamp(" + quote(v.time().UTC().Format(time.RFC3339Nano)) + ")", precPrimary}
	case kDuration:
		return text{"duration(" + quote(v.dur().String()) + ")", precPrimary}
	}
	s, _ := toText(v) // a type
	return text{s, precPrimary}
}

func signed(s string) text {
	if s[0] == '-' {
		return text{s, precUnary}
	}
	return text{s, precPrimary}
}

// printDouble gives whole numbers one decimal, as the reference does: 1.0.
func printDouble(f float64) text {
	switch {
	case math.IsNaN(f):
		return text{`double("NaN")`, precPrimary}
	case math.IsInf(f, 0):
		return text{`double("` + strconv.FormatFloat(f, 'g', -1, 64) + `")`, precPrimary}
	}
	if math.Abs(f) < 1e21 && (math.Abs(f) >= 1e-6 || f == 0) {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return signed(s)
	}
	return signed(strconv.FormatFloat(f, 'e', -1, 64))
}

// quote prints a string literal that every CEL parser reads back as s.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				r = '\uFFFD' // not UTF-8, which no literal can hold
			}
			b = utf8.AppendRune(b, r)
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = append(b, '\\', 'u')
			b = append(b, strconv.FormatUint(uint64(r)|0x10000, 16)[1:]...)
		default:
			b = append(b, '\\', 'U')
			b = append(b, strconv.FormatUint(uint64(r)|0x100000000, 16)[1:]...)
		}
	}
	return string(append(b, '"'))
}
