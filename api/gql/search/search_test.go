package search

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var run = Run{
	Events: [][]byte{
		[]byte(`{"data":{"a":1,"s":"ü","list":[1,2]},"id":"custom","name":"shop/order","ts":1700000000000,"v":"2"}`),
		[]byte(`{"data":{"a":2},"id":"other","name":"shop/order","ts":1700000000001}`),
	},
	Outputs: []Output{{Data: []byte(`{"done":true,"n":{"x":null}}`)}, {Data: []byte(`"text"`)}, {Error: []byte(`{"name":"E","message":"bad"}`)}},
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`event.data.a == 1`:                                true,
		`event.data.a == 2`:                                true, // of the other event
		`event.data.a == 3`:                                false,
		`event.data.a == 1 && event.id == "other"`:         false, // no event has both
		"event.data.a == 1\nevent.id == \"other\"":         true,  // each line may be another's
		`event.id == 'custom'`:                             true,
		`event.ts > 1700000000000`:                         true,
		`event.ts > 1700000000001`:                         false,
		`event.v == "2"`:                                   true,
		`event.name != "shop/order"`:                       false,
		`event.data.s == "ü" && output.done == true`:       true, // offsets count code points
		`output.done == true`:                              true,
		`output.done == false`:                             false,
		`output.missing == 1`:                              false,
		`output == "text"`:                                 true,
		`error.message == "bad" || output.done == false`:   true,
		`error.message == "bad" && output.done == true`:    false, // of no single output
		"error.message == 'bad'\noutput.done == true":      true,
		`output.n.x == null`:                               true,
		`event.data.list[1] == 2`:                          true,
		`foo.bar == 1`:                                     true, // reads nothing of a run
		`"output" == "error" || event.name == "output"`:    false,
		`!(event.data.a == 1) && event.data.a > 1`:         true,
		`error.message == "bad" && event.data.a == 1`:      true,
		` output.done  ==  true `:                          true,
		`event.data.output == 1 || event.data.error == 1 `: false,
	} {
		q, err := Parse(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		if got := q.Match(&run, time.UnixMilli(0)); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                                     ErrSyntax.Error(),
		"  \n ":                                ErrSyntax.Error(),
		"event.data.a == 1\n\n":                "",
		"event.data.":                          "Syntax error: no viable alternative at input '.'\n | event.data.",
		"event.name == 'a'\nevent.data.":       "Syntax error: no viable alternative at input '.'\n | event.data.",
		`has(event.data.a)`:                    ErrMacros.Error(),
		`event.data.l.exists(x, x == 1)`:       ErrMacros.Error(),
		`size(event.data.a) == 1`:              ErrSyntax.Error(),
		`event.data.a + 1 == 2`:                ErrSyntax.Error(),
		`event.nope == 1 && event.name == "a"`: ErrSyntax.Error(),
		`[1] == event.data.a`:                  ErrSyntax.Error(),
	} {
		_, err := Parse(source)
		if text := ""; err != nil {
			text = err.Error()
			if text != want {
				t.Errorf("%q: %q, want %q", source, text, want)
			}
		} else if want != "" {
			t.Errorf("%q: no error, want %q", source, want)
		}
	}
	if _, err := Parse(strings.Repeat("x", MaxText+1)); err == nil || errors.Is(err, ErrSyntax) {
		t.Errorf("a text above the limit: %v", err)
	}
	if _, err := Parse(strings.Repeat("output.a == 1\n", MaxLines+1)); err == nil {
		t.Error("more lines than the limit are taken")
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	q, err := Parse("event.name == 'a'\nerror.name == 'E'")
	if err != nil || !q.Events() || !q.Outputs() {
		t.Errorf("%v %v", q, err)
	}
	if q, err = Parse("1 == 1"); err != nil || q.Events() || q.Outputs() {
		t.Errorf("%v %v", q, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`event.data.a == 1 && output.x != "ü"`)
	f.Add("error.message == 'bad'\noutput.done")
	f.Fuzz(func(t *testing.T, source string) {
		if q, err := Parse(source); err == nil {
			q.Match(&run, time.UnixMilli(0))
		}
	})
}
