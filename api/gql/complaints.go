package gql

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"
)

// complaint is an error of an answer. Field order is the reference's.
type complaint struct {
	Message    string               `json:"message"`
	Path       []any                `json:"path,omitempty"`
	Locations  []gqlerrors.Location `json:"locations,omitempty"`
	Extensions map[string]any       `json:"extensions,omitempty"`
}

func extensionsOf(code string) map[string]any {
	if code == "" {
		return nil
	}
	return map[string]any{"code": code}
}

// unexpected is the library's text of most syntax errors.
var unexpected = regexp.MustCompile(`^unexpected "(.*)", expecting (.*)$`)

// syntaxComplaint words a syntax error as the reference does, where it is of the same form.
func syntaxComplaint(e *gqlerrors.QueryError) complaint {
	text := strings.TrimPrefix(e.Message, "syntax error: ")
	if m := unexpected.FindStringSubmatch(text); m != nil {
		found, wanted := m[1], m[2]
		if found == "" {
			found = "<EOF>"
		}
		if wanted == "Ident" {
			wanted = "Name"
		}
		text = fmt.Sprintf("Expected %s, found %s", strings.Trim(wanted, `"`), found)
	}
	return complaint{Message: text, Locations: e.Locations, Extensions: extensionsOf(codeParse)}
}

// Rules that variables break: by their value, or by a default although they cannot be null.
const (
	ruleVariables = "VariablesOfCorrectType"
	ruleDefaults  = "DefaultValuesOfCorrectType"
)

// badVariable is the library's text about a variable.
var badVariable = regexp.MustCompile(`^Variable "(\w+)" has invalid (?:value null)?`)

// invalidComplaint words an error of an operation that does not fit the schema. What is
// about a variable has that variable as its path.
func invalidComplaint(e *gqlerrors.QueryError, variables map[string]any) complaint {
	c := complaint{Message: e.Message, Locations: e.Locations, Extensions: extensionsOf(codeValidation)}
	if e.Rule != ruleVariables {
		return c
	}
	m := badVariable.FindStringSubmatch(e.Message)
	if m == nil {
		return c
	}
	c.Path, c.Locations = []any{"variable", m[1]}, nil
	if strings.HasSuffix(m[0], "null") {
		c.Message = "must be defined"
		if _, given := variables[m[1]]; given {
			c.Message = "cannot be null"
		}
	}
	return c
}

// operationComplaint is about the choice of an operation.
func operationComplaint(e *gqlerrors.QueryError, name string) complaint {
	text := e.Message
	if strings.HasPrefix(text, "more than one operation") || strings.HasPrefix(text, "no operation with name") {
		text = "operation " + name + " not found"
	}
	return complaint{Message: text, Locations: e.Locations, Extensions: extensionsOf(codeValidation)}
}

// badArgument is the library's text about an argument that is not of its type.
var badArgument = regexp.MustCompile(`^could not unmarshal (.+) \(\S+\) into \S+: `)

// argumentComplaint is about arguments that could not be read, or about an operation that is
// too large. Resolvers of other fields may have been called, but their results are not sent.
func argumentComplaint(e *gqlerrors.QueryError) complaint {
	if errors.Is(e, graphql.ErrTooManySelections) {
		return complaint{Message: e.Message, Extensions: extensionsOf(codeComplexity)}
	}
	return complaint{Message: badArgument.ReplaceAllString(e.Message, "argument $1: "), Extensions: extensionsOf(codeValidation)}
}

// resolverComplaint is an error of a field, with the status that it gives the answer. hidden
// is its cause if the caller is not told it.
func resolverComplaint(e *gqlerrors.QueryError) (c complaint, status int, hidden error) {
	c, status = complaint{Message: e.Message, Path: e.Path, Extensions: e.Extensions}, http.StatusOK
	cause := e.ResolverError
	if cause == nil {
		cause = e.Err
	}
	if cause == nil {
		return c, status, nil // the library's own, about results
	}
	if reason, ok := away(cause); ok {
		c.Message = reason
		return c, http.StatusServiceUnavailable, cause
	}
	var told *refusal
	if !errors.As(cause, &told) {
		c.Message = textInternal
		return c, status, cause
	}
	return c, status, nil
}
