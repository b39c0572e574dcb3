package gql

import (
	"context"
	"errors"
	"fmt"

	"ingot/engine"
	"ingot/storage/history"
)

// Codes of errors, in extensions.code.
const (
	codeParse      = "GRAPHQL_PARSE_FAILED"
	codeValidation = "GRAPHQL_VALIDATION_FAILED"
	codeComplexity = "COMPLEXITY_LIMIT_EXCEEDED"
	codePersisted  = "PERSISTED_QUERY_NOT_FOUND"
)

// Texts of the reference.
const (
	textNoRows   = "sql: no rows in result set"
	textInternal = "internal system error"
)

// refusal is an error whose text is meant for the caller. All others are logged, and
// shown as textInternal.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

// refuse makes an error whose text the caller gets.
func refuse(text string) error { return &refusal{text} }

// errNoRows is the reference's for what does not exist.
var errNoRows = refuse(textNoRows)

// absent turns history.ErrNotFound into a text for the caller.
func absent(err error, text string) error {
	if errors.Is(err, history.ErrNotFound) {
		return refuse(text)
	}
	return err
}

// Errors of a server that lacks a part.
var (
	errNoHistory  = refuse("this server keeps no history")
	errNoOperator = refuse("this server has no operations")
	errNoApps     = refuse("this server cannot reach apps")
)

// errTooLarge says that an answer has more nodes than MaxNodes.
var errTooLarge = refuse(fmt.Sprintf(
	"the answer has more than %d nodes: ask for smaller pages (first), or for fewer lists within lists", MaxNodes))

// away returns why a request cannot be served now, for a 503; ok is false for other errors.
func away(err error) (reason string, ok bool) {
	switch {
	case errors.Is(err, history.ErrUnavailable):
		return history.ErrUnavailable.Error(), true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Sprintf("the request took longer than %s and was given up", Timeout), true
	case errors.Is(err, errNoHistory), errors.Is(err, errNoOperator):
		return err.Error(), true
	}
	var full *engine.BacklogError
	if errors.As(err, &full) {
		return err.Error(), true
	}
	for _, passing := range []error{engine.ErrLogFull, engine.ErrDisk, engine.ErrClosed, engine.ErrBusy} {
		if errors.Is(err, passing) {
			return err.Error(), true
		}
	}
	return "", false
}
