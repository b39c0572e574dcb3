package expr

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ingot/internal/jcs"
)

var testNow = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

const testEvent = `{"name":"shop/order.created","id":"e1","ts":1735689600000,"user":{},
 "data":{"amount":120.5,"plan":"pro","n":10,"zero":0,"empty":"","yes":true,"no":false,"nil":null,
 "items":[{"sku":"a","qty":1},{"sku":"b","qty":3},{"qty":5}],"tags":["x","y"],"obj":{"k":"v"},
 "key with space":"sp","esc":"a\"b\u00e9\n","b64":"aGVsbG8=","json":"{\"a\":{\"b\":2}}","date":"2025-01-02T03:04:05Z"}}`

func decodeEvent(t testing.TB, s string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// canonical is an event as functions see it.
func canonical(t testing.TB, s string) []byte {
	if s == "" {
		return nil
	}
	b, err := jcs.Append(nil, []byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eval runs src both over decoded maps and over JSON, which must agree.
func eval(t *testing.T, src, event, async string) (any, error) {
	t.Helper()
	e, err := Compile(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	v := Vars{Now: testNow}
	if event != "" {
		v.Event = decodeEvent(t, event)
	}
	if async != "" {
		v.Async = decodeEvent(t, async)
	}
	got, err := e.Value(v)
	gotJSON, errJSON := e.ValueJSON(JSON{Event: []byte(event), Async: []byte(async), Now: testNow})
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(gotJSON)
	if string(a) != string(b) || (err == nil) != (errJSON == nil) {
		t.Fatalf("%s: over maps %s (%v), over JSON %s (%v)", src, a, err, b, errJSON)
	}
	canonical := JSON{Event: canonical(t, event), Async: canonical(t, async), Canonical: true, Now: testNow}
	gotJSON, errJSON = e.ValueJSON(canonical)
	if c, _ := json.Marshal(gotJSON); string(c) != string(a) || (err == nil) != (errJSON == nil) {
		t.Fatalf("%s: over maps %s (%v), over canonical JSON %s (%v)", src, a, err, c, errJSON)
	}
	return got, err
}

// TestValue has the semantics of spec 03 §20.2 to §20.4 as a table: source, JSON of the
// result or "error: <part of the text>".
func TestValue(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		// attributes
		`event.data.amount`:            `120.5`,
		`event.data["key with space"]`: `"sp"`,
		`event["data"].plan`:           `"pro"`,
		`event.data.items[1].sku`:      `"b"`,
		`event.data.items[9].sku`:      `false`,
		`event.data.items[0.0].sku`:    `"a"`,
		`event.data.esc`:               `"a\"bé\n"`,
		`event.data.plan.x`:            `false`,
		`event.data.nil`:               `null`,
		`event.data.obj`:               `{"k":"v"}`,
		`event.data.missing`:           `false`,
		`async.data.x`:                 `false`,
		`vars.x`:                       `false`,
		`event.name`:                   `"shop/order.created"`,
		`has(event.data.plan)`:         `true`,
		`has(event.data.nil)`:          `true`,
		`has(event.data.missing)`:      `false`,
		`has(event.data.missing.x)`:    `false`,
		`has(event.data.plan.x)`:       `false`,
		// + joins
		`event.data.plan + '-' + event.data.n`:    `"pro-10"`,
		`event.data.n + 1`:                        `11`,
		`event.data.n + event.data.amount`:        `130.5`,
		`event.data.missing + '-x'`:               `"-x"`,
		`'x-' + event.data.missing`:               `"x-"`,
		`event.data.missing + event.data.missing`: `false`,
		`event.data.tags + ['z']`:                 `["x","y","z"]`,
		`event.data.yes + 'a'`:                    `error: no such overload: _+_(bool, string)`,
		`1 + 2`:                                   `3`,
		`9223372036854775807 + 1`:                 `error: overflow`,
		`b'a' + b'b'`:                             `"YWI="`,
		`date('2025-01-01') + duration('1h')`:     `"2025-01-01T01:00:00Z"`,
		// equality
		`event.data.n == 10`:                         `true`,
		`event.data.n == 10u`:                        `true`,
		`event.data.n == '10'`:                       `false`,
		`event.data.n != '10'`:                       `true`,
		`event.data.nil == null`:                     `true`,
		`event.data.plan == null`:                    `false`,
		`event.data.plan != null`:                    `true`,
		`event.data.tags == ['x','y']`:               `true`,
		`event.data.tags == ['x']`:                   `false`,
		`event.data.obj == {'k':'v'}`:                `true`,
		`event.data.obj == {'k':'w'}`:                `false`,
		`event.data.obj != {'k':1}`:                  `true`,
		`event.data.items[0] == {'qty':1,'sku':'a'}`: `true`,
		// ordering
		`event.data.amount > 100`:           `true`,
		`event.data.amount <= 100`:          `false`,
		`event.data.plan > 'a'`:             `true`,
		`event.data.plan > 5`:               `error: no such overload: _>_(string, int)`,
		`event.data.nil < 5`:                `true`,
		`event.data.nil < 0`:                `false`,
		`event.data.plan > event.data.nil`:  `true`,
		`event.data.nil <= event.data.nil`:  `true`,
		`event.data.yes > event.data.no`:    `true`,
		`event.data.tags > event.data.tags`: `error: no such overload`,
		`2u > 1u`:                           `true`,
		`dyn(-1) < dyn(1u)`:                 `true`,
		`dyn(1u) > dyn(-1)`:                 `true`,
		`dyn(0.0)/0.0 < 1.0`:                `false`,
		// missing
		`event.data.missing == null`:           `true`,
		`event.data.missing != null`:           `false`,
		`event.data.missing == 'x'`:            `false`,
		`event.data.missing != 'x'`:            `true`,
		`event.data.missing < 5`:               `true`,
		`event.data.missing <= 5`:              `true`,
		`event.data.missing > 5`:               `false`,
		`event.data.missing >= 5`:              `false`,
		`5 < event.data.missing`:               `false`,
		`5 <= event.data.missing`:              `false`,
		`5 > event.data.missing`:               `true`,
		`5 >= event.data.missing`:              `true`,
		`size(event.data.missing)`:             `0`,
		`event.data.missing.startsWith('x')`:   `false`,
		`lowercase(event.data.missing)`:        `false`,
		`!event.data.missing`:                  `false`,
		`'x' in event.data.missing`:            `false`,
		`event.data.missing in ['x']`:          `false`,
		`event.data.missing.exists(x, x == 1)`: `false`,
		`event.data.missing * 2`:               `false`,
		// logic
		`event.data.yes && event.data.no`:       `false`,
		`event.data.yes || event.data.no`:       `true`,
		`event.data.plan && event.data.n`:       `10`,
		`event.data.empty && event.data.n`:      `""`,
		`event.data.empty || event.data.n`:      `10`,
		`event.data.zero || event.data.empty`:   `""`,
		`event.data.plan || event.data.n`:       `"pro"`,
		`event.data.missing || event.data.plan`: `"pro"`,
		`event.data.missing && event.data.yes`:  `false`,
		`event.data.obj && true`:                `true`,
		`event.data.plan > 5 || event.data.yes`: `true`,
		`event.data.plan > 5 && event.data.no`:  `false`,
		`event.data.plan > 5 && event.data.yes`: `error: no such overload`,
		`event.data.yes && event.data.plan > 5`: `error: no such overload`,
		`event.data.no && event.data.plan > 5`:  `false`,
		`!event.data.yes`:                       `false`,
		`!event.data.plan`:                      `error: no such overload: !_(string)`,
		`event.data.plan ? 1 : 2`:               `1`,
		`event.data.missing ? 1 : 2`:            `2`,
		`event.data.zero ? 1 : 2`:               `2`,
		`event.data.tags ? 1 : 2`:               `1`,
		`event.data.plan > 5 ? 1 : 2`:           `2`,
		`event.data.nil < event.data.yes`:       `true`,
		`event.data.nil < event.data.tags`:      `error: no such overload`,
		`b'a' < b'b'`:                           `true`,
		`duration('1s') < duration('2s')`:       `true`,
		`duration('1s') == duration('1s')`:      `true`,

		`(event.data.plan > 5) == true`:                  `error: no such overload`,
		`true == (event.data.plan > 5)`:                  `error: no such overload`,
		`[event.data.plan > 5]`:                          `error: no such overload`,
		`{'a': event.data.plan > 5}`:                     `error: no such overload`,
		`{event.data.plan > 5: 1}`:                       `error: no such overload`,
		`{1.5: 1}`:                                       `error: unsupported key type: double`,
		`{[]: 1}`:                                        `error: unsupported key type: list`,
		`!(event.data.plan > 5)`:                         `error: no such overload`,
		`event.data.tags[event.data.plan > 5]`:           `error: no such overload`,
		`(event.data.plan > 5 ? {} : {'a':1}).a`:         `1`,
		`dyn(event.data.plan > 5).x`:                     `error: no such overload`,
		`dyn(event.data.plan > 5)['x']`:                  `error: no such overload`,
		`has(dyn(event.data.plan).x)`:                    `false`,
		`has(event.data.items[0].sku)`:                   `true`,
		`event.data.tags[1u]`:                            `"y"`,
		`event.data.tags[0.5]`:                           `false`,
		`event.data.tags[-1]`:                            `false`,
		`event.data.tags['x']`:                           `false`,
		`event.data.obj[1]`:                              `false`,
		`(event.data.plan > 5) in event.data.tags`:       `error: no such overload`,
		`'x' in dyn(event.data.plan > 5)`:                `error: no such overload`,
		`dyn(event.data.plan > 5) + 'x'`:                 `error: no such overload`,
		`'x' + (event.data.plan > 5 ? '' : 'y')`:         `"xy"`,
		`'x' + dyn(event.data.plan > 5)`:                 `error: no such overload`,
		`event.data.nil + 'x'`:                           `"x"`,
		`'x' + event.data.nil`:                           `"x"`,
		`event.data.items.map(i, i.qty > 'a')`:           `error: no such overload`,
		`event.data.items.filter(i, i.qty > 'a')`:        `[]`,
		`event.data.obj == {'k':'v','l':1}`:              `false`,
		`type(1) == int && type(int) == type`:            `true`,
		`type(1) == uint`:                                `false`,
		`[1, [2, {'a': b'x'}]] == [1, [2, {'a': b'x'}]]`: `true`,
		`type(now()) == google.protobuf.Timestamp`:       `true`,
		`dyn(1u) == dyn(1)`:                              `true`,
		`dyn(18446744073709551615u) > dyn(1)`:            `true`,
		`json_parse(event.data.n)`:                       `error: no such overload`,
		`b64decode(event.data.n)`:                        `error: no such overload`,
		`now_plus(event.data.n)`:                         `error: no such overload`,
		`event.data.n.matches('a')`:                      `error: no such overload`,
		`event.data.n.matches(event.data.plan)`:          `error: no such overload`,
		`string(event.data.tags)`:                        `error: no such overload`,
		`string(event.data.obj)`:                         `error: no such overload`,
		`int(event.data.nil)`:                            `error: no such overload`,
		`string(b'abc')`:                                 `"abc"`,
		`int(event.data.plan)`:                           `error: type conversion error`,
		// arithmetic
		`event.data.n * 2`:    `20`,
		`event.data.n - 1`:    `9`,
		`event.data.n / 4`:    `2.5`,
		`7 / 2`:               `3`,
		`7 % 4`:               `3`,
		`1 / 0`:               `error: division by zero`,
		`-event.data.n`:       `-10`,
		`-5 - -3`:             `-2`,
		`2.5 * 2.0`:           `5`,
		`event.data.plan * 2`: `error: no such overload`,
		// functions
		`size(event.data.tags)`:                           `2`,
		`event.data.tags.size()`:                          `2`,
		`size(event.data.esc)`:                            `5`,
		`size(event.data.obj)`:                            `1`,
		`size(b'abc')`:                                    `3`,
		`size(event.data.n)`:                              `error: no such overload: size(double)`,
		`event.data.plan.startsWith('p')`:                 `true`,
		`event.data.plan.endsWith('o')`:                   `true`,
		`event.data.plan.contains('r')`:                   `true`,
		`event.data.n.contains('r')`:                      `error: no such overload`,
		`event.data.plan.matches('^p.o$')`:                `true`,
		`event.data.plan.matches('(')`:                    `error: missing closing`,
		`'pro'.matches(event.data.plan)`:                  `true`,
		`'pro'.matches(event.data.plan + '(')`:            `error: missing closing`,
		`lowercase('AbÉ')`:                                `"abé"`,
		`uppercase(event.data.plan)`:                      `"PRO"`,
		`lowercase(event.data.n)`:                         `error: no such overload: lowercase(double)`,
		`b64decode(event.data.b64)`:                       `"hello"`,
		`b64decode('!')`:                                  `error: b64decode`,
		`json_parse(event.data.json).a.b`:                 `2`,
		`json_parse('[1]')`:                               `{}`,
		`json_parse('{"a":')`:                             `{}`,
		`date(event.data.date) < now()`:                   `true`,
		`date(event.ts) == date('2025-01-01')`:            `true`,
		`date(event.data.plan)`:                           `error: date: unknown format`,
		`now()`:                                           `"2025-03-01T12:00:00Z"`,
		`now_plus('1d2h')`:                                `"2025-03-02T14:00:00Z"`,
		`now_minus('1w')`:                                 `"2025-02-22T12:00:00Z"`,
		`now_plus('x')`:                                   `error: invalid duration`,
		`int(event.data.amount)`:                          `120`,
		`uint(event.data.n)`:                              `10`,
		`double('1.5')`:                                   `1.5`,
		`string(event.data.n)`:                            `"10"`,
		`string(now() - date('2025-03-01'))`:              `"43200s"`,
		`duration('90s')`:                                 `"90s"`,
		`bool('true')`:                                    `true`,
		`bytes('a')`:                                      `"YQ=="`,
		`timestamp('2025-01-01T00:00:00Z').getFullYear()`: `2025`,
		`now().getHours('America/New_York')`:              `7`,
		`type(event.data.n) == double`:                    `true`,
		`type(event.data.plan)`:                           `"string"`,
		`type(event.data.obj) == map`:                     `true`,
		`dyn(event.data.n)`:                               `10`,
		// in
		`'x' in event.data.tags`:             `true`,
		`'z' in event.data.tags`:             `false`,
		`'k' in event.data.obj`:              `true`,
		`event.data.plan in ['free', 'pro']`: `true`,
		`event.data.n in [1, 10]`:            `true`,
		`'x' in event.data.n`:                `error: no such overload`,
		`1 in {1: 'a'}`:                      `true`,
		`{1: 'a', 'b': 2}[1]`:                `"a"`,
		`{true: 1}`:                          `{"true":1}`,
		`{'a': 1, 'a': 2}`:                   `error: repeated key`,
		// macros
		`event.data.items.exists(i, i.sku == 'b')`:                                      `true`,
		`event.data.items.exists(i, i.sku == 'z')`:                                      `false`,
		`event.data.items.all(i, i.qty > 0)`:                                            `true`,
		`event.data.items.all(i, i.qty > 1)`:                                            `false`,
		`event.data.items.exists_one(i, i.qty == 3)`:                                    `true`,
		`event.data.items.exists_one(i, i.qty > 1)`:                                     `false`,
		`event.data.items.map(i, i.qty)`:                                                `[1,3,5]`,
		`event.data.items.map(i, i.qty > 1, i.qty * 2)`:                                 `[6,10]`,
		`event.data.items.filter(i, has(i.sku)).size()`:                                 `2`,
		`event.data.items.map(i, i.sku)`:                                                `["a","b",null]`,
		`event.data.obj.exists(k, k == 'k')`:                                            `true`,
		`event.data.items.exists(i, event.data.tags.exists(t, t == 'x' && i.qty == 5))`: `true`,
		`event.data.n.exists(x, x == 1)`:                                                `error: cannot be range`,
		`event.data.items.exists(i, i.flag)`:                                            `false`,
		`[{'f': ''}, {'f': true}].exists(i, i.f)`:                                       `true`,
		`[{}, {'f': true}].exists(i, i.f)`:                                              `true`,
		`[1, 2].map(event, event * 2)`:                                                  `[2,4]`,
	} {
		got, err := eval(t, src, testEvent, "")
		if part, isErr := strings.CutPrefix(want, "error: "); isErr {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, %v; want an error with %q", src, got, err, part)
			}
			continue
		}
		b, _ := json.Marshal(got)
		var w any
		if e := json.Unmarshal([]byte(want), &w); e != nil {
			t.Fatalf("%s: %v", src, e)
		}
		wb, _ := json.Marshal(w)
		if err != nil || string(b) != string(wb) {
			t.Errorf("%s: got %s, %v; want %s", src, b, err, want)
		}
	}
}
