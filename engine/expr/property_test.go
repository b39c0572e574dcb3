package expr

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"pgregory.net/rapid"
)

// typedExpr draws an expression in which the reference's loose rules play no part:
// all attributes exist and have the right types.
type typedExpr struct {
	t     *rapid.T
	depth int
	vars  []string // numbers bound by macros
}

func (g *typedExpr) pick(label string, options ...func() string) string {
	if g.depth++; g.depth > 4 {
		options = options[:1]
	}
	defer func() { g.depth-- }()
	return rapid.SampledFrom(options).Draw(g.t, label)()
}

func (g *typedExpr) one(of ...string) string { return rapid.SampledFrom(of).Draw(g.t, "leaf") }

func (g *typedExpr) bool() string {
	return g.pick("bool",
		func() string { return g.one("event.p", "event.q", "true", "false", "has(event.p)", "has(event.none)") },
		func() string {
			return "(" + g.num() + g.one(" < ", " <= ", " > ", " >= ", " == ", " != ") + g.num() + ")"
		},
		func() string {
			return "(" + g.str() + g.one(" < ", " <= ", " > ", " >= ", " == ", " != ") + g.str() + ")"
		},
		func() string { return "(" + g.bool() + g.one(" && ", " || ", " == ") + g.bool() + ")" },
		func() string { return "!(" + g.bool() + ")" },
		func() string { return "(" + g.bool() + " ? " + g.bool() + " : " + g.bool() + ")" },
		func() string { return "(" + g.num() + " in " + g.list() + ")" },
		func() string { return g.str() + `.` + g.one("contains", "startsWith", "endsWith", "matches") + `("a")` },
		func() string { return "event.m" + g.one(".k", `["k"]`) + ".startsWith(" + g.str() + ")" },
		func() string { return "(size(" + g.list() + ") > " + g.one("0", "1", "2") + ")" },
		func() string { return "(" + g.str() + " in event.m)" },
		func() string { return "(" + g.list() + g.one(" == ", " != ") + g.list() + ")" },
		func() string { return g.macro(g.one("exists", "all", "exists_one"), g.bool) },
		func() string { return "(type(" + g.num() + ") == double)" },
	)
}

func (g *typedExpr) macro(name string, body func() string) string {
	v := fmt.Sprintf("x%d", len(g.vars))
	over := g.list()
	g.vars = append(g.vars, v)
	defer func() { g.vars = g.vars[:len(g.vars)-1] }()
	return over + "." + name + "(" + v + ", " + body() + ")"
}

func (g *typedExpr) num() string {
	return g.pick("num",
		func() string {
			return g.one(append(g.vars, "event.n", "event.f", "1.0", "-2.5", "0.0", "event.l[1]")...)
		},
		func() string { return "(" + g.num() + g.one(" + ", " - ", " * ", " / ") + g.num() + ")" },
		func() string { return "-(" + g.num() + ")" },
		func() string { return "(" + g.bool() + " ? " + g.num() + " : " + g.num() + ")" },
		func() string { return "double(size(" + g.str() + "))" },
	)
}

func (g *typedExpr) str() string {
	return g.pick("str",
		func() string { return g.one("event.s", "event.u", `"a"`, `""`, `'é"\n'`, "event.m.k") },
		func() string { return "(" + g.str() + " + " + g.str() + ")" },
		func() string { return "string(" + g.bool() + ")" },
		func() string { return "(" + g.bool() + " ? " + g.str() + " : " + g.str() + ")" },
	)
}

func (g *typedExpr) list() string {
	return g.pick("list",
		func() string { return g.one("event.l", "[1.0, 2.0]", "[dyn(3.0)]") },
		func() string { return g.macro("filter", g.bool) },
		func() string { return g.macro("map", g.num) },
		func() string { return "(" + g.list() + " + [" + g.num() + "])" },
	)
}

// TestAgainstCEL compares with cel-go's own evaluation where both must agree.
func TestAgainstCEL(t *testing.T) {
	t.Parallel()
	event := []byte(`{"p":true,"q":false,"n":3,"f":-0.5,"s":"abc","u":"é","l":[1,2.5,3],"m":{"k":"a","abc":"x"}}`)
	vars := map[string]any{"event": decodeEvent(t, string(event))}
	rapid.Check(t, func(rt *rapid.T) {
		g := &typedExpr{t: rt}
		src := rapid.SampledFrom([]func() string{g.bool, g.num, g.str, g.list}).Draw(rt, "kind")()
		checked, iss := celEnv().Compile(src)
		if iss.Err() != nil {
			rt.Fatalf("%s: %v", src, iss.Err())
		}
		prg, err := celEnv().Program(checked, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			rt.Fatal(err)
		}
		ref, _, refErr := prg.Eval(vars)
		e, err := Compile(src)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := e.ValueJSON(JSON{Event: event})
		if (err != nil) != (refErr != nil) {
			rt.Fatalf("%s: %v, %v; cel-go %v, %v", src, got, err, ref, refErr)
		}
		if err != nil {
			return
		}
		want := ref.Value()
		if ref.Type() == types.ListType {
			if want, err = ref.ConvertToNative(reflect.TypeFor[[]any]()); err != nil {
				rt.Fatal(err)
			}
		}
		if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
			rt.Fatalf("%s: %s; cel-go %s", src, a, b)
		}
	})
}

// looseExpr draws expressions over attributes of any type, missing ones included.
func looseExpr(root string) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{
		root + ".a", root + ".b", root + ".c.d", root + `["a"]`, root + ".l[0]", root + ".none", "async.a", "async.b.x", "async.none",
		`"x"`, `""`, "1", "0", "2.5", "true", "false", "null", "[1, 'x']", "{'k': 1}",
	})
	wrap := func(s string) string { return "dyn(" + s + ")" } // no type errors at compile time
	var gen func(depth int) *rapid.Generator[string]
	gen = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			if depth == 0 || rapid.IntRange(0, 3).Draw(t, "stop") == 0 {
				return wrap(leaf.Draw(t, "leaf"))
			}
			sub := func() string { return gen(depth-1).Draw(t, "sub") }
			switch rapid.IntRange(0, 8).Draw(t, "op") {
			case 0:
				return "dyn(!" + sub() + ")"
			case 1:
				return "dyn(" + sub() + " ? " + sub() + " : " + sub() + ")"
			case 2:
				return "dyn(size(" + sub() + "))"
			case 3:
				return "dyn(" + sub() + ".exists(v, v == " + sub() + "))"
			case 4:
				return "dyn(has(" + root + ".a))"
			default:
				op := rapid.SampledFrom([]string{"&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "in", "-", "*"}).Draw(t, "bin")
				return "dyn(" + sub() + " " + op + " " + sub() + ")"
			}
		})
	}
	return gen(4)
}

// jsonValue draws JSON texts with odd spellings.
func jsonValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		sp := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "space")
		if depth > 0 && rapid.Bool().Draw(t, "nest") {
			n := rapid.IntRange(0, 3).Draw(t, "n")
			var parts []string
			obj := rapid.Bool().Draw(t, "object")
			for range n {
				v := jsonValue(depth-1).Draw(t, "v")
				if obj {
					v = sp + rapid.SampledFrom([]string{`"a"`, `"\u0061"`, `"b"`, `"d"`, `"k"`, `"x"`, `"\\\"]"`}).Draw(t, "key") + sp + ":" + v
				}
				parts = append(parts, v)
			}
			if obj {
				return sp + "{" + strings.Join(parts, ",") + sp + "}"
			}
			return sp + "[" + strings.Join(parts, ",") + sp + "]"
		}
		return sp + rapid.SampledFrom([]string{`"x"`, `"\u0078"`, `""`, `"]\\"`, `"}\""`, "1", "0", "-1", "2.5", "1e2", "true", "false", "null"}).Draw(t, "scalar")
	})
}

func drawEvent(t *rapid.T, label string) string {
	return fmt.Sprintf(`{"a":%s,"b":%s,"c":{"d":%s},"l":[%s]}`, jsonValue(2).Draw(t, label), jsonValue(2).Draw(t, label), jsonValue(1).Draw(t, label), jsonValue(1).Draw(t, label))
}

// TestJSONAgainstMaps: evaluation over text and over decoded maps is the same.
func TestJSONAgainstMaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		src := looseExpr("event").Draw(rt, "src")
		ev, as := drawEvent(rt, "event"), drawEvent(rt, "async")
		e, err := Compile(src)
		if err != nil {
			rt.Fatalf("%s: %v", src, err)
		}
		var v Vars
		if json.Unmarshal([]byte(ev), &v.Event) != nil || json.Unmarshal([]byte(as), &v.Async) != nil {
			rt.Fatalf("%s %s", ev, as)
		}
		a, errA := e.Value(v)
		b, errB := e.ValueJSON(JSON{Event: []byte(ev), Async: []byte(as)})
		if !reflect.DeepEqual(a, b) || (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
			rt.Fatalf("%s over %s and %s: maps %v, %v; JSON %v, %v", src, ev, as, a, errA, b, errB)
		}
		c, errC := e.ValueJSON(JSON{Event: canonical(t, ev), Async: canonical(t, as), Canonical: true})
		if !reflect.DeepEqual(a, c) || (errA == nil) != (errC == nil) || errA != nil && errA.Error() != errC.Error() {
			rt.Fatalf("%s over %s and %s: maps %v, %v; canonical JSON %v, %v", src, ev, as, a, errA, c, errC)
		}
	})
}

// TestInterpolationProperty: the interpolated condition is true for an event exactly
// when the original one is. A missing attribute becomes null there, which orders
// differently (spec 03 §20.5), so ordering is left out.
func TestInterpolationProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		src := looseExpr("event").Filter(func(s string) bool {
			return !strings.ContainsAny(s, "<>") && !strings.Contains(s, "none") && !strings.Contains(s, "-") && !strings.Contains(s, "*")
		}).Draw(rt, "src")
		ev, as := drawEvent(rt, "event"), drawEvent(rt, "async")
		e, err := Compile(src)
		if err != nil {
			rt.Fatalf("%s: %v", src, err)
		}
		fixed, err := InterpolateJSON(src, []byte(ev))
		if err != nil {
			rt.Fatalf("%s with %s: %v", src, ev, err)
		}
		f, err := Compile(fixed)
		if err != nil {
			rt.Fatalf("%s became %s: %v", src, fixed, err)
		}
		if again, err := Interpolate(fixed, nil); err != nil || strings.Contains(src, "event") && strings.Contains(again, "event.") {
			rt.Fatalf("%s became %s, then %s, %v", src, fixed, again, err)
		}
		want, _ := e.BoolJSON(JSON{Event: []byte(ev), Async: []byte(as)})
		got, _ := f.BoolJSON(JSON{Async: []byte(as)})
		if got != want {
			rt.Fatalf("%s with %s became %s: %v instead of %v for %s", src, ev, fixed, got, want, as)
		}
	})
}
