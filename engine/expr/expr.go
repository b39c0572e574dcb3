// Package expr compiles and evaluates the CEL expressions of function
// configurations and waits, with the reference's loose typing and its rules for
// missing attributes (spec 03 §20), interpolates the triggering event into wait
// conditions, and finds the equality predicates by which waits are indexed.
package expr

import "errors"

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src string
}

// Source returns the text the expression was compiled from.
func (e *Expr) Source() string { return e.src }

// Vars are the variables an expression can see. A nil map is a missing variable.
type Vars struct {
	Event map[string]any
	Async map[string]any
}

var errNotBuilt = errors.New("expr: not built")

// Compile parses and checks src (cached by source). The error text is the
// reference's: "error compiling expression: <cel text>".
func Compile(src string) (*Expr, error) { return nil, errNotBuilt }

// ValidateRestricted applies the policy of cancel conditions (spec 03 §20.6):
// no macros, only comparison, logic, index and conversions.
func ValidateRestricted(src string) error { return errNotBuilt }

// Bool evaluates in a boolean context; a non-boolean result is an error.
func (e *Expr) Bool(v Vars) (bool, error) { return false, errNotBuilt }

// Value evaluates to a plain Go value: nil, bool, int64, uint64, float64,
// string, []byte, []any, map[string]any.
func (e *Expr) Value(v Vars) (any, error) { return nil, errNotBuilt }

// Interpolate fixes the values of `event.…` into src and returns an expression
// text over `async` only (spec 03 §20.5).
func Interpolate(src string, event map[string]any) (string, error) { return "", errNotBuilt }

// Equality is a predicate `async.<Path> == <Value>` that must hold for the whole
// expression to be true.
type Equality struct {
	// Path is the attribute below async, e.g. ["data","order"].
	Path []string
	// Value is a string, float64 or bool.
	Value any
}

// FindEquality returns one such predicate of an interpolated expression, if its
// shape guarantees one (a top-level == or a conjunct of top-level &&).
func FindEquality(src string) (Equality, bool) { return Equality{}, false }
