package expr

import (
	"fmt"
	"regexp"
	"sync"

	"cel.dev/cel-go/cel"
)

// maxSource is the longest expression, in code points; cel-go's default.
const maxSource = 100_000

// celEnv is made on first use: it takes a few milliseconds, which a program that
// never sees an expression should not pay.
var celEnv = sync.OnceValue(func() *cel.Env { return newEnv() })

// rawEnv parses without expanding macros, for texts that are printed again.
var rawEnv = sync.OnceValue(func() *cel.Env { return newEnv(cel.ClearMacros()) })

func newEnv(more ...cel.EnvOption) *cel.Env {
	opts := append(declarations(), cel.ParserExpressionSizeLimit(maxSource))
	for _, name := range rootNames {
		opts = append(opts, cel.Variable(name, cel.MapType(cel.StringType, cel.DynType)))
	}
	env, err := cel.NewEnv(append(opts, more...)...)
	if err != nil {
		panic(fmt.Sprintf("expr: CEL environment: %v", err)) // constant input
	}
	return env
}

// CompileError is a text that is no expression. Its message is the reference's.
type CompileError struct{ text string }

func (e *CompileError) Error() string { return "error compiling expression: " + e.text }

// undeclared finds what cel-go words differently from the version that the
// reference was recorded with.
var undeclared = regexp.MustCompile(`(?m)(: undeclared reference to '[^'\n]*')$`)

func compileError(err error) error {
	return &CompileError{undeclared.ReplaceAllString(err.Error(), "$1 (in container '')")}
}
