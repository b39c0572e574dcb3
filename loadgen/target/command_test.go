package target

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Spec{
		"a=http://127.0.0.1:8288/":        {Name: "a", URL: "http://127.0.0.1:8288"},
		"http://localhost:8288":           {Name: "localhost-8288", URL: "http://localhost:8288"},
		"https://[::1]:1":                 {Name: "1--1", URL: "https://[::1]:1"},
		"x-1.y= ./bin/ingot dev --port 1": {Name: "x-1.y", Command: "./bin/ingot dev --port 1"},
		"./bin/ingot dev --port={port}":   {Name: "ingot", Command: "./bin/ingot dev --port={port}"},
		"b=A=1 B=2 'my server' x":         {Name: "b", Command: "A=1 B=2 'my server' x"},
		"'/my/own server.exe'":            {Name: "own-server", Command: "'/my/own server.exe'"},
		"ä":                               {Name: "target", Command: "ä"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":             "a URL or a command is missing",
		"a=":           "a URL or a command is missing",
		"a=http://":    "no host",
		"a=http://h:x": "invalid port",
		"http://h?q=1": "no query",
		"http://h#f":   "no query",
		"a='x":         "open quote '",
		`a="x`:         `open quote "`,
		`a=x\`:         "ends with a backslash",
		"a=B=1":        "no program",
		"a=''":         "no program",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, want)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"":                        nil,
		" a  b\tc\n":              {"a", "b", "c"},
		`a'b c'd "e f"`:           {"ab cd", "e f"},
		`'' ""`:                   {"", ""},
		`'a\b"' "c\d\"\\'$"`:      {`a\b"`, `c\d"\'$`},
		`a\ b \'c \\`:             {"a b", "'c", `\`},
		`X="a b"c=d`:              {"X=a bc=d"},
		`$HOME *.go ~ # a | b; c`: {"$HOME", "*.go", "~", "#", "a", "|", "b;", "c"},
	} {
		if got, err := split(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	c, err := parseCommand(`URL=http://h:{port} "{dir}/server" --p={port}{port2} '{"a":1}' {other}`)
	if err != nil {
		t.Fatal(err)
	}
	got := c.replaced("{port}", "1", "{port2}", "2", "{dir}", "/d")
	if got.program != "/d/server" || !slices.Equal(got.env, []string{"URL=http://h:1"}) ||
		!slices.Equal(got.args, []string{"--p=12", `{"a":1}`, "{other}"}) {
		t.Errorf("got %+v", got)
	}
	if !c.mentions("{port}") || c.mentions("{port3}") {
		t.Error("mentions is wrong")
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	var o tail
	for range 3 {
		_, _ = o.Write([]byte(strings.Repeat("x", tailSize-1)))
		if n, err := o.Write([]byte("end")); n != 3 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if s := o.String(); len(s) != tailSize || !strings.HasSuffix(s, "xend") {
		t.Errorf("%d bytes are kept", len(s))
	}
	if n, _ := o.Write(make([]byte, 3*tailSize)); n != 3*tailSize || len(o.String()) != tailSize {
		t.Errorf("of a long write %d are said to be written, %d are kept", n, len(o.String()))
	}
}
