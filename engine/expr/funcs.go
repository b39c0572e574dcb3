package expr

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types/ref"
)

// builtin is a function or an operator without a node of its own.
type builtin struct {
	call func(c *ctx, args []value) value
	// takesMissing functions see missing arguments; for all others the result
	// is false.
	takesMissing bool
}

// declarations are the functions that the reference adds to CEL (spec 03 §20.2).
func declarations() []cel.EnvOption {
	str, ts := cel.StringType, cel.TimestampType
	unary := func(name string, arg, result *cel.Type) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_"+arg.String(), []*cel.Type{arg}, result))
	}
	return []cel.EnvOption{
		unary("lowercase", str, str),
		unary("uppercase", str, str),
		unary("b64decode", str, str),
		unary("json_parse", str, cel.MapType(str, cel.DynType)),
		unary("date", str, ts),
		unary("date", cel.IntType, ts),
		unary("now_plus", str, ts),
		unary("now_minus", str, ts),
		cel.Function("now", cel.Overload("now_void", nil, ts)),
	}
}

// clockFunctions give another value at another time, so they are not evaluated
// when an event is fixed into an expression.
var clockFunctions = map[string]bool{"now": true, "now_plus": true, "now_minus": true}

var builtins = map[string]builtin{
	"size":             {size, true},
	"dyn":              {func(_ *ctx, a []value) value { return a[0] }, true},
	"type":             {call: typeOf},
	"contains":         {call: onStrings("contains", strings.Contains)},
	"startsWith":       {call: onStrings("startsWith", strings.HasPrefix)},
	"endsWith":         {call: onStrings("endsWith", strings.HasSuffix)},
	"matches":          {call: matches},
	"lowercase":        {call: mapString("lowercase", strings.ToLower)},
	"uppercase":        {call: mapString("uppercase", strings.ToUpper)},
	"b64decode":        {call: b64decode},
	"json_parse":       {call: jsonParse},
	"date":             {call: date},
	"now":              {call: func(c *ctx, _ []value) value { return timeValue(c.now) }},
	"now_plus":         {call: nowOffset("now_plus", 1)},
	"now_minus":        {call: nowOffset("now_minus", -1)},
	operators.Negate:   {call: std(operators.Negate)},
	operators.Modulo:   {call: std(operators.Modulo)},
	operators.Divide:   {call: arithmetic(operators.Divide)},
	operators.Subtract: {call: arithmetic(operators.Subtract)},
	operators.Multiply: {call: arithmetic(operators.Multiply)},
}

// stdFunctions are cel-go's implementations of the standard library by name, with
// dispatch on the arguments' types.
var stdFunctions = func() map[string]*functions.Overload {
	m := map[string]*functions.Overload{}
	for _, f := range stdlib.Functions() {
		overloads, err := f.Bindings()
		if err != nil {
			panic(err) // a defect of the library, seen at start
		}
		for _, o := range overloads {
			if o.Operator == f.Name() {
				m[f.Name()] = o
			}
		}
	}
	return m
}()

// std leaves a function to cel-go.
func std(name string) func(*ctx, []value) value {
	o := stdFunctions[name]
	return func(c *ctx, args []value) value {
		refs := make([]ref.Val, len(args))
		for i, a := range args {
			c.charge(len(a.s) / bytesPerCost)
			refs[i] = a.toRef()
		}
		switch {
		case o.OperandTrait != 0 && !refs[0].Type().HasTrait(o.OperandTrait):
		case len(refs) == 1 && o.Unary != nil:
			return fromRef(o.Unary(refs[0]))
		case len(refs) == 2 && o.Binary != nil:
			return fromRef(o.Binary(refs[0], refs[1]))
		case o.Function != nil:
			return fromRef(o.Function(refs...))
		}
		return fromRef(decls.MaybeNoSuchOverload(name, refs...))
	}
}

// arithmetic is std with numbers of different kinds made doubles, since all
// numbers of an event are doubles and literals mostly are not.
func arithmetic(op string) func(*ctx, []value) value {
	call := std(op)
	return func(c *ctx, a []value) value {
		if a[0].isNumber() && a[1].isNumber() && a[0].k != a[1].k {
			a[0], a[1] = doubleValue(a[0].asDouble()), doubleValue(a[1].asDouble())
		}
		if a[0].k == kDouble && a[1].k == kDouble {
			x, y := a[0].double(), a[1].double()
			switch op {
			case operators.Subtract:
				return doubleValue(x - y)
			case operators.Multiply:
				return doubleValue(x * y)
			default:
				return doubleValue(x / y)
			}
		}
		return call(c, a)
	}
}

var stdAdd = std(operators.Add)

// add is +: an unknown operand gives the other one, strings and numbers are
// joined to text (spec 03 §20.3).
func add(c *ctx, a, b value) value {
	switch {
	case a.k == kErr:
		return a
	case b.k == kErr:
		return b
	case a.k == kMissing || a.k == kNull && b.k != kMissing:
		return b
	case b.k == kMissing || b.k == kNull:
		return a
	case a.isNumber() && b.isNumber():
		if a.k == b.k && a.k != kDouble {
			return stdAdd(c, []value{a, b})
		}
		return doubleValue(a.asDouble() + b.asDouble())
	case (a.k == kString || a.isNumber()) && (b.k == kString || b.isNumber()):
		if !c.charge((len(a.s) + len(b.s)) / bytesPerCost) {
			return errValue(ErrCost)
		}
		x, _ := toText(a)
		y, _ := toText(b)
		return stringValue(x + y)
	case a.k == kList && b.k == kList:
		if !c.charge(a.size() + b.size() + (len(a.s)+len(b.s))/bytesPerCost) {
			return errValue(ErrCost)
		}
		xs := a.elements()
		return listValue(append(xs[:len(xs):len(xs)], b.elements()...))
	case a.k == kBytes && b.k == kBytes:
		if !c.charge((len(a.s) + len(b.s)) / bytesPerCost) {
			return errValue(ErrCost)
		}
		return value{k: kBytes, s: a.s + b.s}
	case a.k == kTime || a.k == kDuration:
		return stdAdd(c, []value{a, b})
	}
	return noOverload(operators.Add, a.k, b.k)
}

func size(c *ctx, a []value) value {
	switch v := a[0]; v.k {
	case kMissing:
		return intValue(0)
	case kString, kBytes, kList, kMap:
		c.charge(len(v.s) / bytesPerCost)
		return intValue(int64(v.size()))
	default:
		return noOverload("size", v.k)
	}
}

func typeOf(_ *ctx, a []value) value {
	return value{k: kRef, ref: a[0].toRef().Type()}
}

func onStrings(name string, f func(s, t string) bool) func(*ctx, []value) value {
	return func(c *ctx, a []value) value {
		if a[0].k != kString || a[1].k != kString {
			return noOverload(name, a[0].k, a[1].k)
		}
		c.charge(len(a[0].s) / bytesPerCost)
		return boolValue(f(a[0].s, a[1].s))
	}
}

func mapString(name string, f func(string) string) func(*ctx, []value) value {
	return func(c *ctx, a []value) value {
		if a[0].k != kString {
			return noOverload(name, a[0].k)
		}
		c.charge(len(a[0].s) / bytesPerCost)
		return stringValue(f(a[0].s))
	}
}

// matches is an RE2 match. A pattern that is a literal was compiled with the
// expression (see compileMatches).
func matches(c *ctx, a []value) value {
	if a[0].k != kString || a[1].k != kString {
		return noOverload("matches", a[0].k, a[1].k)
	}
	if !c.charge(64 + len(a[1].s)) { // compiling
		return errValue(ErrCost)
	}
	re, err := regexp.Compile(a[1].s)
	if err != nil {
		return errValue(err)
	}
	return matchRegexp(c, re, a[0])
}

func matchRegexp(c *ctx, re *regexp.Regexp, v value) value {
	if v.k != kString {
		return noOverload("matches", v.k, kString)
	}
	// A step of the automaton costs about as much as a node, for each byte.
	if !c.charge(len(v.s) * (16 + len(re.String())) / bytesPerCost) {
		return errValue(ErrCost)
	}
	return boolValue(re.MatchString(v.s))
}

func compileMatches(pattern string) builtin {
	re, err := regexp.Compile(pattern)
	return builtin{call: func(c *ctx, a []value) value {
		if err != nil {
			return errValue(err)
		}
		return matchRegexp(c, re, a[0])
	}}
}

func b64decode(c *ctx, a []value) value {
	if a[0].k != kString {
		return noOverload("b64decode", a[0].k)
	}
	c.charge(len(a[0].s) / bytesPerCost)
	b, err := base64.StdEncoding.DecodeString(a[0].s)
	if err != nil {
		return errorf("b64decode: %w", err)
	}
	return stringValue(view(b))
}

// jsonParse decodes an object; any other text gives an empty one.
func jsonParse(c *ctx, a []value) value {
	if a[0].k != kString {
		return noOverload("json_parse", a[0].k)
	}
	s := strings.TrimSpace(a[0].s)
	c.charge(len(s) / bytesPerCost)
	if !strings.HasPrefix(s, "{") || !json.Valid([]byte(s)) {
		return emptyMap
	}
	return value{k: kMap, s: s}
}

func nowOffset(name string, sign time.Duration) func(*ctx, []value) value {
	return func(c *ctx, a []value) value {
		if a[0].k != kString {
			return noOverload(name, a[0].k)
		}
		d, err := parseDuration(a[0].s)
		if err != nil {
			return errorf("%s: %w", name, err)
		}
		return timeValue(c.now.Add(sign * d))
	}
}
