package jcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, in, want string }{
		{"literals", " [ true , false , null ] ", `[true,false,null]`},
		{"sorted keys", `{"b":1,"a":{"d":[],"c":{}}}`, `{"a":{"c":{},"d":[]},"b":1}`},
		{"prefix key first", `{"aa":1,"a":2}`, `{"a":2,"aa":1}`},
		{"last duplicate wins", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"adjacent duplicates", `{"a":1,"a":2}`, `{"a":2}`},
		{"duplicate spelt differently", `{"a":1,"\u0061":2}`, `{"a":2}`},
		{"ints", `[0,-0,10,-10,123456789012345,9007199254740993]`, `[0,0,10,-10,123456789012345,9007199254740992]`},
		{"big and small", `[1e21,1e20,1E-7,0.000001,1.0,-1.50,5e-324]`, `[1e+21,100000000000000000000,1e-7,0.000001,1,-1.5,5e-324]`},
		{"RFC 8785 numbers", `[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]`, `[333333333.3333333,1e+30,4.5,0.002,1e-27]`},
		{"underflow", `[1e-400,-1e-400]`, `[0,0]`},
		{"escapes", `"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\b"`, "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\""},
		{"DEL and separators stay", "\"\u007f\u2028\\u2029\"", "\"\u007f\u2028\u2029\""},
		{"surrogate pair", `"\ud83d\ude00"`, `"😀"`},
		{"lone surrogates", `"\ud83d x \ude00 \ud83d\ud83d\ude00"`, "\"\ufffd x \ufffd \ufffd😀\""},
		{"invalid UTF-8", "\"a\xffb\"", "\"a\ufffdb\""},
		{"UTF-16 order", "{\"\ufb33\":1,\"😀\":2,\"€\":3,\"\\r\":4,\"1\":5,\"\u0080\":6,\"ö\":7}",
			"{\"\\r\":4,\"1\":5,\"\u0080\":6,\"ö\":7,\"€\":3,\"😀\":2,\"\ufb33\":1}"},
		{"control keys", `{"\n":1,"\u0001":2,"\t":3,"\"":4,"\\":5,"a":6}`, `{"\u0001":2,"\t":3,"\n":1,"\"":4,"\\":5,"a":6}`},
		{"string", `"plain text that is longer than eight bytes"`, `"plain text that is longer than eight bytes"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Append([]byte("x"), []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != "x"+c.want {
				t.Fatalf("got  %s\nwant x%s", got, c.want)
			}
			if !Canonical([]byte(c.want)) {
				t.Fatalf("the output %s is not recognised as canonical", c.want)
			}
			if c.in != c.want && Canonical([]byte(c.in)) {
				t.Fatalf("%s passes as canonical", c.in)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	cases := []string{
		``, ` `, `{`, `[`, `"`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", `tru`, `nul`, `falsy`, `-`, `01`, `1.`, `1e`, `.5`, `+1`,
		`1e400`, `[1e400]`, `[1,]`, `[1 2]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `1 2`, `{}{}`, "\x00",
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
		strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1),
	}
	for _, in := range cases {
		got, err := Append([]byte("keep"), []byte(in))
		var se *SyntaxError
		if !errors.As(err, &se) || se.Offset > len(in) || se.Error() == "" {
			t.Errorf("%.40q: got %v, want a SyntaxError", in, err)
		}
		if string(got) != "keep" {
			t.Errorf("%.40q: dst became %q", in, got)
		}
	}
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if got, err := Append(nil, []byte(deep)); err != nil || string(got) != deep {
		t.Errorf("nesting of %d is refused: %v", MaxDepth, err)
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	// The samples of RFC 8785, appendix B.
	cases := map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	}
	for bits, want := range cases {
		if got := string(AppendFloat(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%016x: got %s, want %s", bits, got, want)
		}
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", "ü€😀", "\x00\x1f\b\f\n\r\t\"\\/\x7f", "a\xffb", "\xed\xa0\x80", strings.Repeat("x", 17) + "\n"} {
		want, _ := json.Marshal(s)
		want, err := naive(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendString(nil, s); !bytes.Equal(got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func TestAppendText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", "ü€😀", "\x00\x1f\b\f\n\r\t\"\\/\x7f", "\\u0041"} {
		raw := AppendString(nil, s)
		if got := AppendText([]byte("x"), raw[1:len(raw)-1]); string(got) != "x"+s {
			t.Errorf("%q: got %q", s, got)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	keys := []string{"", "\r", "1", "a", "aa", "b", "\u0080", "ö", "€", "\ud7ff", "😀", "😁", "\U0010ffff", "\ue000", "\ufb33", "\uffff"}
	for i, a := range keys {
		for j, b := range keys {
			got := Compare(a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("Compare(%q, %q) = %d", a, b, got)
			}
		}
	}
}

func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the number of allocations")
	}
	in := []byte(`{"data":{"n":1,"f":0.25,"s":"text with é and \n","l":[1,2,3,true,null]},"id":"01K1V7Q2JZ3T9A8B7C6D5E4F3G","name":"demo/hi","ts":1754300000000,"user":{}}`)
	canon, err := Append(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 2*len(in))
	if n := testing.AllocsPerRun(100, func() { _, _ = Append(dst, canon) }); n != 0 {
		t.Errorf("canonical input: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Append(dst, in) }); n >= 1 {
		t.Errorf("other input: %v allocations", n)
	}
}

// FuzzAppend compares with the naive implementation: the same input is accepted,
// the same bytes come out, and the output is stable.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`{"b":[1,2.50,{"x":"\u00e9\n\/"}],"a":null,"a":{"":1}}`, `"\ud83d\ude00\ud83d"`, `[1e5,-0,1E-10,123456789012345678901]`,
		"{\"\\u0001\":1,\"\\t\":2,\"\ue000\":3,\"😀\":4}", `{"\\n":1,"\\m":2,"\n":3}`, " [ ] ", `"\u2028"`, `1e999`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Append(nil, in)
		want, wantErr := naive(in)
		if (err == nil) != (wantErr == nil) {
			if bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) > MaxDepth {
				return // only the depth limits differ
			}
			t.Fatalf("got error %v, the oracle %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		if !Canonical(got) {
			t.Fatalf("%q is not recognised as canonical", got)
		}
		if Canonical(in) != bytes.Equal(in, want) {
			t.Fatalf("Canonical(%q) = %v", in, Canonical(in))
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	var canonical bytes.Buffer
	canonical.WriteString(`[`)
	for i := range 20 {
		if i > 0 {
			canonical.WriteByte(',')
		}
		fmt.Fprintf(&canonical, `{"data":{"amount":%d.5,"customer":"customer-%d","items":["a","b","c"],"note":"some longer text that a user wrote, with é"},"id":"01K1V7Q2JZ3T9A8B7C6D5E4F3G","name":"demo/hi","ts":1754300000000}`, i, i)
	}
	canonical.WriteString(`]`)
	spaced := bytes.ReplaceAll(canonical.Bytes(), []byte(`"id"`), []byte(` "aid"`))
	for name, in := range map[string][]byte{"canonical": canonical.Bytes(), "other": spaced} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			dst := make([]byte, 0, 2*len(in))
			for b.Loop() {
				if _, err := Append(dst, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
