package expr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestCompileErrors has the texts that the reference was recorded with.
func TestCompileErrors(t *testing.T) {
	t.Parallel()
	const expecting = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
	for src, want := range map[string]string{
		"event.data.a ===": "ERROR: <input>:1:16: Syntax error: token recognition error at: '='\n | event.data.a ===\n | ...............^\n" +
			"ERROR: <input>:1:17: Syntax error: mismatched input '<EOF>' " + expecting + "\n | event.data.a ===\n | ................^",
		"event.data.":                          "ERROR: <input>:1:12: Syntax error: no viable alternative at input '.'\n | event.data.\n | ...........^",
		"event.":                               "ERROR: <input>:1:7: Syntax error: no viable alternative at input '.'\n | event.\n | ......^",
		"foo.bar == 1":                         "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo.bar == 1\n | ^",
		"event.data.id == ":                    "ERROR: <input>:1:18: Syntax error: mismatched input '<EOF>' " + expecting + "\n | event.data.id == \n | .................^",
		"1 == 'a'":                             "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, string)'\n | 1 == 'a'\n | ..^",
		"google.type.Money{units: 1}":          "ERROR: <input>:1:18: undeclared reference to 'google.type.Money' (in container '')\n | google.type.Money{units: 1}\n | .................^",
		"google.protobuf.Int64Value{value: 1}": "ERROR: <input>:1:27: message construction is not supported: 'google.protobuf.Int64Value'",
		"sha256(event.data.a)":                 "ERROR: <input>:1:7: undeclared reference to 'sha256' (in container '')\n | sha256(event.data.a)\n | ......^",
	} {
		_, err := Compile(src)
		if err == nil || err.Error() != "error compiling expression: "+want {
			t.Errorf("%s:\n got %v\nwant %s", src, err, want)
		}
		var ce *CompileError
		if !errors.As(err, &ce) {
			t.Errorf("%s: %T is no *CompileError", src, err)
		}
	}
	for _, src := range []string{"event.data.a", "event.data.items.exists(x, x == 1)", "event.data.function_id == 'x'", "\"x\"", "true"} {
		if e, err := Compile(src); err != nil || e.Source() != src {
			t.Errorf("%s: %v", src, err)
		}
	}
	if _, err := Compile(strings.Repeat("a", maxSource+1)); err == nil || !strings.Contains(err.Error(), "exceeds limit") {
		t.Errorf("a source over the limit gives %v", err)
	}
	if _, err := Compile(strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000)); err == nil {
		t.Error("5000 levels compile")
	}
}

// Sources of one shape share a program, and each keeps its own literals.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, group := range [][]string{
		{`event.s == "a"`, `event.s=='b'`, `event . s  ==   "c\n\"\\"`, `event.s == ""`, `event.s == "é\u00e9"`},
		{`event.n == 1.0`, `event.n == -1.5`, `event.n == 1e10`, `event.n == .5`},
		{`event.n - 1.0 == 2.0`, `event.n -1.0 == 2.0`, `event.n-1.5 == -2.0`},
		{`event.n in [1, 2]`, `event.n in [-1, 3]`},
		{`event.u == 5u`, `event.u == 18446744073709551615u`},
		{`event.a ? "x" : 'y'`, `event.a ? 'z' : "w"`},
		{`event.l[0] == "a"`, `event.l[0] == "b"`},
		{`event.l.exists_one(i, i == "a")`, `event.l.exists_one(i, i == "b")`},
		{`event.m["k"].x == 1`, `event.m["k"].x == 2`},
	} {
		first, err := Compile(group[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range group[1:] {
			e, err := Compile(src)
			if err != nil {
				t.Fatal(err)
			}
			if e.prog != first.prog {
				t.Errorf("%s and %s do not share a program", group[0], src)
			}
		}
	}
	for _, pair := range [][2]string{
		{`event.s == "a"`, `event.s == 1`},
		{`event.s == 1`, `event.s == 1.0`},
		{`event.m["a"] == 1`, `event.m["b"] == 1`},
		{`event.l[0] == 1`, `event.l[1] == 1`},
		{`event.s.matches("a")`, `event.s.matches("b")`},
		{`event.s == r"a"`, `event.s == r"b"`},
		{`event.n == 0x10`, `event.n == 0x11`},
		{`event.s == """a"""`, `event.s == """b"""`},
		{`event.s == "a" // x`, `event.s == "b" // x`},
		{`event.s == "\x41"`, `event.s == "\x42"`},
		{`event.n == - 1`, `event.n == - 2`},
		{`event.t in ["x"]`, `event.t in[0]`},
	} {
		a, errA := Compile(pair[0])
		b, errB := Compile(pair[1])
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.prog == b.prog {
			t.Errorf("%s and %s share a program", pair[0], pair[1])
		}
	}
	// What looks like a shape's key is no expression.
	if _, err := Compile("event .s ==\x01"); err == nil {
		t.Error("a placeholder compiles")
	}
}

// Literals are those of the source also when the program came from another one.
func TestShapeLiterals(t *testing.T) {
	t.Parallel()
	for lit, want := range map[string]any{
		`"a"`: "a", `'b'`: "b", `"q\"\\\n\r\t\u00e9"`: "q\"\\\n\r\té", `'it\'s'`: "it's", `"\U0001F600"`: "😀",
		`1`: int64(1), `-7`: int64(-7), `9223372036854775807`: int64(9223372036854775807), `-9223372036854775808`: int64(-9223372036854775808),
		`3u`: uint64(3), `2.5`: 2.5, `-2.5e-3`: -2.5e-3, `0x1F`: int64(31), `1E3`: 1000.0,
		`r"a\n"`: `a\n`, `b"ab"`: []byte("ab"), `'''x'y'''`: "x'y",
	} {
		for _, src := range []string{lit, "[" + lit + "][0]", "true ? " + lit + " : " + lit} {
			e, err := Compile(src)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			got, err := e.Value(Vars{})
			if err != nil || fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
				t.Errorf("%s: got %T %v, %v; want %T %v", src, got, got, err, want, want)
			}
		}
	}
}

func TestFindEquality(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`async.data.id == "a"`:                           `[data id]=a`,
		`"a" == async.data.id`:                           `[data id]=a`,
		`async.data["my id"].x == 1`:                     `[data my id x]=1`,
		`async.data.n > 5 && async.data.ok == true`:      `[data ok]=true`,
		`async.a == 1 && (async.b == 2u && async.c > 1)`: `[a]=1 [b]=2`,
		`async.a == 1 || async.b == 2`:                   ``,
		`!(async.a == 1)`:                                ``,
		`async.a != 1`:                                   ``,
		`async.a == null`:                                ``,
		`async.a == async.b`:                             ``,
		`async == {}`:                                    ``,
		`event.a == 1`:                                   ``,
		`async.l[0] == 1`:                                ``,
		`async.a == [1]`:                                 ``,
		`(async.a == 1) ? true : false`:                  ``,
		`async.`:                                         ``,
		`true`:                                           ``,
	} {
		var got []string
		if e, err := Compile(src); err == nil {
			for _, eq := range e.Equalities() {
				got = append(got, fmt.Sprintf("%v=%v", eq.Path, eq.Value))
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", src, s, want)
		}
		eq, ok := FindEquality(src)
		if ok != (want != "") || ok && fmt.Sprintf("%v=%v", eq.Path, eq.Value) != got[0] {
			t.Errorf("%s: FindEquality gives %v, %v", src, eq, ok)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := cacheOf[int]{max: 100}
	for i := range 1000 {
		c.put(fmt.Sprint(i), i)
		if _, ok := c.getString("0"); !ok {
			t.Fatalf("an entry in use was dropped after %d others", i)
		}
		if n := len(c.young) + len(c.old); n > 101 {
			t.Fatalf("%d entries", n)
		}
	}
	if _, ok := c.getString("500"); ok {
		t.Error("an entry that was not used for long is still there")
	}
	if v, ok := c.getString("999"); !ok || v != 999 {
		t.Error("the newest entry is gone")
	}
	big := strings.Repeat("k", maxKeyBytes/4)
	for i := range 10 {
		c.put(big+fmt.Sprint(i), i)
	}
	if n := len(c.young) + len(c.old); n > 4 {
		t.Errorf("%d entries of %d bytes", n, len(big))
	}
}
