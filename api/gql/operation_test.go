package gql

import (
	"strings"
	"testing"
)

// TestOneOfManyOperations: variables of operations that are not executed need not be there.
func TestOneOfManyOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(1)
	const text = `
# a comment with { and "quotes
query A($s: String = "}\"{", $f: AppsFilterV1) { functionBySlug(query: {functionSlug: $s}) { ...Slug } apps(filter: $f) { id } }
mutation B($i: String!, $o: CreateAppInput = {url: "}"}) { deleteApp(id: $i) createApp(input: $o) { ...App } }
query C($slug: String!) {
  functionBySlug(query: {functionSlug: $slug}) { ...Slug ... on Function { appID_is: app { ...App } } }
}
fragment Slug on Function { slug }
fragment App on App { ...Name }
fragment Name on App { name }
query D { functions { name } }
`
	post := func(text, operation, variables string) Answer {
		return r.s.Post(t.Context(), "application/json",
			mustJSON(nil, map[string]any{"query": text, "operationName": operation, "variables": raw(variables)}), Values{})
	}
	for _, c := range []struct{ operation, variables, want string }{
		{"C", `{"slug":"shop-pay"}`, `{"data":{"functionBySlug":{"slug":"shop-pay","appID_is":{"name":"shop"}}}}`},
		{"C", `{}`, `{"errors":[{"message":"must be defined","path":["variable","slug"],`},
		{"nope", `{}`, `"path":["variable","i"]`},
		{"App", `{}`, `"path":["variable","i"]`}, // a fragment
		{"", `{}`, `"path":["variable","i"]`},
	} {
		a := post(text, c.operation, c.variables)
		if !strings.Contains(string(a.Body), c.want) {
			t.Errorf("%s %s: %d %s", c.operation, c.variables, a.Status, a.Body)
		}
	}
}

// TestRelax: what is left of a text, blanks left out.
func TestRelax(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, name, want string }{
		{"query A{a} query B{b}", "A", "query A{a}"},
		{"query A{a} # } query B{x}\nquery B{b}", "B", "# } query B{x} query B{b}"},
		{`query A{a(x:"{\"}")} query B{b}`, "B", "query B{b}"},
		{`query A{a(x:"""{ " \""" }""")} query B{b}`, "B", "query B{b}"},
		{"{a} query B{...F} fragment F on T{...G} fragment G on T{...F} fragment H on T{h}", "B", "query B{...F} fragment F on T{...G} fragment G on T{...F}"},
		{"query A{a{... on T{x}...@include(if:true){y}}}query B@d(x:{y:1}){b}", "A", "query A{a{... on T{x}...@include(if:true){y}}}"},
		{"query A{a}", "A", ""},
		{"query A($a:Int!=1,$b:[Int!]! = [1],$c:Int!,$d:I={a:1}){a(x:$a)}", "", "query A($a:Int =1,$b:[Int!] = [1],$c:Int!,$d:I={a:1}){a(x:$a)}"},
		{"query A($a:Int!,=1){a} query B($b:Int!=1){b}", "A", "query A($a:Int ,=1){a}"},
		{"query A($a:Int){a(x:{b:1})} fragment F on T{a}", "", ""},
		{"query A{a} query B{b}", "C", ""},
		{"{a} query B{b}", "", ""},
		{"query A{a} query B{b", "A", ""},
		{`query A{a} query B{b(x:"`, "A", ""},
		{"", "A", ""},
		{"query", "query", ""},
	} {
		got, ok := relax(c.text, c.name)
		if ok && len(got) != len(c.text) || ok != (c.want != "") || ok && strings.Join(strings.Fields(got), " ") != c.want {
			t.Errorf("%q, %s: %q %t", c.text, c.name, got, ok)
		}
	}
}

// TestDefaultOfRequired: a variable that cannot be null may have a default.
func TestDefaultOfRequired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(1)
	const query = `query($slug: String! = "shop-pay") { functionBySlug(query: {functionSlug: $slug}) { slug } }`
	for _, c := range []struct {
		variables map[string]any
		status    int
		want      string
	}{
		{nil, 200, `"slug":"shop-pay"`},
		{map[string]any{"slug": "nope"}, 200, "sql: no rows in result set"},
		{map[string]any{"slug": nil}, 422, "null"},
		{map[string]any{"slug": 7}, 422, "incompatible type"},
	} {
		if status, body := r.post(query, c.variables); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%v: %d %s", c.variables, status, body)
		}
	}
}

// FuzzRelax: any text has an end.
func FuzzRelax(f *testing.F) {
	f.Add("query A{a(x:\"\\\"\")} # x\n{b ...C} fragment C on D{e}", "A")
	f.Add(`"""\"""`, "")
	f.Fuzz(func(t *testing.T, text, name string) {
		if got, _ := relax(text, name); len(got) != len(text) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}
