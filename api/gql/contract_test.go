package gql

import (
	"fmt"
	"slices"
	"testing"

	"ingot/internal/golden"
)

// Parts of an introspection.
type (
	introspected struct {
		QueryType, MutationType, SubscriptionType *named
		Types, Directives                         []introspectedType
	}
	named            struct{ Name string }
	introspectedType struct {
		Kind, Name                            string
		Fields, InputFields, EnumValues, Args []introspectedField
		PossibleTypes, Interfaces             []named
		Locations                             []string
	}
	introspectedField struct {
		Name         string
		Args         []introspectedField
		Type         *typeRef
		DefaultValue *string
		IsDeprecated bool
	}
	typeRef struct {
		Kind, Name string
		OfType     *typeRef
	}
)

func (t *typeRef) String() string {
	switch {
	case t == nil:
		return ""
	case t.Kind == "NON_NULL":
		return t.OfType.String() + "!"
	case t.Kind == "LIST":
		return "[" + t.OfType.String() + "]"
	}
	return t.Name
}

const introspectionQuery = `query{__schema{queryType{name} mutationType{name} subscriptionType{name}
 types{kind name fields(includeDeprecated:true){name isDeprecated args{...v} type{...r}} inputFields{...v} interfaces{name}
  enumValues(includeDeprecated:true){name isDeprecated} possibleTypes{name}}
 directives{name locations args{...v}}}}
fragment v on __InputValue{name defaultValue type{...r}}
fragment r on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}`

// TestContract holds the schema against the recorded one, all of which it must have.
func TestContract(t *testing.T) {
	t.Parallel()
	recorded := golden.Answer[struct {
		Data struct {
			Schema introspected `json:"__schema"`
		}
	}](t, "testdata/introspection.json.gz")
	var own struct {
		Schema introspected `json:"__schema"`
	}
	newRig(t).data(&own, introspectionQuery, nil)
	c := &contract{t: t}
	c.schema(&recorded.Data.Schema, &own.Schema)
	if c.compared < 500 {
		t.Errorf("only %d members were compared", c.compared)
	}
}

type contract struct {
	t        *testing.T
	compared int
}

func (c *contract) schema(want, got *introspected) {
	for _, r := range [][2]*named{{want.QueryType, got.QueryType}, {want.MutationType, got.MutationType}, {want.SubscriptionType, got.SubscriptionType}} {
		if a, b := fmt.Sprint(r[0] == nil), fmt.Sprint(r[1] == nil); a != b || r[0] != nil && *r[0] != *r[1] {
			c.t.Errorf("root %v, want %v", r[1], r[0])
		}
	}
	c.types(want.Types, got.Types)
	c.types(want.Directives, got.Directives)
}

func (c *contract) types(want, got []introspectedType) {
	have := map[string]*introspectedType{}
	for i := range got {
		have[got[i].Name] = &got[i]
	}
	for i := range want {
		w := &want[i]
		g := have[w.Name]
		if g == nil || g.Kind != w.Kind {
			c.t.Errorf("%s %s is missing or of another kind", w.Kind, w.Name)
			continue
		}
		c.fields(w.Name, w.Fields, g.Fields)
		c.fields(w.Name, w.InputFields, g.InputFields)
		c.fields(w.Name, w.EnumValues, g.EnumValues)
		c.fields(w.Name, w.Args, g.Args)
		c.names(w.Name, w.PossibleTypes, g.PossibleTypes)
		c.names(w.Name, w.Interfaces, g.Interfaces)
		for _, l := range w.Locations {
			if !slices.Contains(g.Locations, l) {
				c.t.Errorf("@%s may not be at %s", w.Name, l)
			}
		}
	}
}

func (c *contract) names(of string, want, got []named) {
	for _, w := range want {
		if !slices.Contains(got, w) {
			c.t.Errorf("%s has no %s", of, w.Name)
		}
	}
}

func (c *contract) fields(of string, want, got []introspectedField) {
	have := map[string]*introspectedField{}
	for i := range got {
		have[got[i].Name] = &got[i]
	}
	for i := range want {
		w, name := &want[i], of+"."+want[i].Name
		g := have[w.Name]
		if g == nil {
			c.t.Errorf("%s is missing", name)
			continue
		}
		c.compared++
		if w.Type.String() != g.Type.String() {
			c.t.Errorf("%s is of type %s, want %s", name, g.Type, w.Type)
		}
		if a, b := textOf(w.DefaultValue), textOf(g.DefaultValue); a != b {
			c.t.Errorf("%s has the default %q, want %q", name, b, a)
		}
		if w.IsDeprecated != g.IsDeprecated {
			c.t.Errorf("%s deprecated: %v, want %v", name, g.IsDeprecated, w.IsDeprecated)
		}
		c.fields(name, w.Args, g.Args)
	}
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
