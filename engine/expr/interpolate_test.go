package expr

import "testing"

func TestInterpolate(t *testing.T) {
	t.Parallel()
	const event = `{"name":"e","ts":5,"data":{"id":"k1","n":1,"neg":-2,"big":1e25,"q":"a\"b\\c\n\u0001é\u200b","nil":null,"yes":true,
	"list":["x",1,{"a":null}],"date":"2025-01-02T03:04:05Z"}}`
	for src, want := range map[string]string{
		// recorded
		`event.data.id == async.data.id && async.data.n > 5`: `"k1" == async.data.id && async.data.n > 5`,
		`async.data.id == event.data.id`:                     `async.data.id == "k1"`,
		`async.data.k == event.data.n`:                       `async.data.k == 1.0`,
		`event.data.n == async.data.x`:                       `1.0 == async.data.x`,
		`event.data.missing == async.data.x`:                 `async.data.x == null`,
		`async.data.x == 'lit' && async.data.n != 3`:         `async.data.x == 'lit' && async.data.n != 3`,
		// values
		`async.data.x == event.data.neg`:      `async.data.x == -2.0`,
		`async.data.x == event.data.big`:      `async.data.x == 1e+25`,
		`async.data.x == event.data.q`:        `async.data.x == "a\"b\\c\n\u0001é\u200b"`,
		`async.data.x == event.data.yes`:      `async.data.x == true`,
		`event.data.nil == async.data.x`:      `async.data.x == null`,
		`async.data.x == event.data.list`:     `async.data.x == ["x", 1.0, {"a": null}]`,
		`async.ts > date(event.data.date)`:    `async.ts > timestamp("2025-01-02T03:04:05Z")`,
		`now() > date(event.data.date)`:       `now() > timestamp("2025-01-02T03:04:05Z")`,
		`async.data.x == event.data.n / 0.0`:  `async.data.x == double("+Inf")`,
		`async.data.x - event.data.neg > 1.0`: `async.data.x - -2.0 > 1.0`,
		// folding
		`event.data.n == 1`:                                     `true`,
		`event.data.n == 2`:                                     `false`,
		`event.data.n == 2 && async.data.x == 1`:                `false`,
		`event.data.missing && async.data.x == 1`:               `false`,
		`async.data.x == 1 && event.data.n == 2`:                `false`,
		`async.data.x == 1 && event.data.n == 1`:                `async.data.x == 1`,
		`event.data.n == 1 && async.data.x == 1`:                `async.data.x == 1`,
		`async.data.x && event.data.n == 1`:                     `async.data.x && true`,
		`event.data.n == 1 || async.data.x == 1`:                `true`,
		`async.data.x == 1 || event.data.n == 1`:                `true`,
		`event.data.n == 2 || async.data.x == 1`:                `async.data.x == 1`,
		`!(event.data.n == 2 && async.data.x == 1)`:             `true`,
		`event.data.yes ? async.data.x == 1 : async.data.y`:     `async.data.x == 1`,
		`event.data.missing ? async.data.x == 1 : async.data.y`: `async.data.y`,
		`event.data.id + "-" + async.data.x == "k1-a"`:          `"k1-" + async.data.x == "k1-a"`,
		// errors stay errors
		`event.data.id > 5 && async.data.x == 1`: `dyn("k1") > 5 && async.data.x == 1`,
		`async.data.x.startsWith(event.data.n)`:  `async.data.x.startsWith(dyn(1.0))`,
		// structure
		`(async.data.a || event.data.n == 2) && async.data.b == event.data.id`:                   `(async.data.a || false) && async.data.b == "k1"`,
		`async.data.items.exists(i, i.id == event.data.id && i.n > 2)`:                           `async.data.items.exists(i, i.id == "k1" && i.n > 2)`,
		`async.data.items.exists(event, event.id == 1)`:                                          `async.data.items.exists(event, event.id == 1)`,
		`event.data.list.exists(i, i == async.data.x)`:                                           `["x", 1.0, {"a": null}].exists(i, i == async.data.x)`,
		`event.data.list.exists(i, i == event.data.n) && async.data.x == 1`:                      `async.data.x == 1`,
		`has(event.data.id) && async.data.x == 1`:                                                `async.data.x == 1`,
		`has(async.data.x) && async.data.x == event.data.id`:                                     `has(async.data.x) && async.data.x == "k1"`,
		`async.data[event.data.id] == 1`:                                                         `async.data["k1"] == 1`,
		`async.data.x in [event.data.id, "b"]`:                                                   `async.data.x in ["k1", "b"]`,
		`async.data.x in {event.data.id: 1}`:                                                     `async.data.x in {"k1": 1}`,
		`async.data.x ? event.data.id == "k1" : event.data.n == async.data.n`:                    `async.data.x ? true : 1.0 == async.data.n`,
		`(async.data.x ? 1 : 2) == event.data.n`:                                                 `(async.data.x ? 1 : 2) == dyn(1.0)`,
		`-(async.data.x + event.data.n) * 2.0 == 1.0`:                                            `-(async.data.x + 1.0) * 2.0 == 1.0`,
		`!(async.data.x == event.data.n)`:                                                        `!(async.data.x == 1.0)`,
		`async.data.b == b"a" && async.data.x == event.data.id`:                                  `async.data.b == b"\x61" && async.data.x == "k1"`,
		`type(async.data.x) == string && async.data.u == 5u && async.data.x == event["data"].id`: `type(async.data.x) == string && async.data.u == 5u && async.data.x == "k1"`,
		`async.event.x == 'a'`:                                                                   `async.event.x == "a"`,
		`async.data.x == 'event.y'`:                                                              `async.data.x == "event.y"`,
		`async.events == 1`:                                                                      `async.events == 1`,
	} {
		got, err := InterpolateJSON(src, []byte(event))
		if err != nil || got != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", src, got, err, want)
		}
		if viaMap, err := Interpolate(src, decodeEvent(t, event)); err != nil || viaMap != got {
			t.Errorf("%s: over a map %s, %v; over JSON %s", src, viaMap, err, got)
		}
	}
}

func TestValidateRestricted(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`async.data.id == event.data.id && (async.data.n > 1 || !async.data.b)`:   ``,
		`async.data["x"] in ["a", 'b'] ? int(async.data.n) == -1 : uint(1) == 1u`: ``,
		`async.data.x.exists(i, i == 1)`:                                          `validation failed: macros are disallowed (uses 'exists')`,
		`has(async.data.x)`:                                                       `validation failed: macros are disallowed (uses 'has')`,
		`lowercase(async.data.x) == "a"`:                                          `validation failed: function calls are disallowed (uses 'lowercase')`,
		`async.data.x + 1 == 2`:                                                   `validation failed: function calls are disallowed (uses '_+_')`,
		`async.data.`:                                                             "error compiling expression: ERROR: <input>:1:12: Syntax error: no viable alternative at input '.'\n | async.data.\n | ...........^",
	} {
		got := ""
		if err := ValidateRestricted(src); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", src, got, want)
		}
	}
}
