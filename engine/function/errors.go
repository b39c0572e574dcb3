package function

import (
	"fmt"
	"strconv"
	"strings"
)

// Codes of errors that callers tell apart (spec 01 §6).
const (
	CodeEventName   = "event_name_invalid"
	CodeSchedule    = "schedule_invalid"
	CodeConcurrency = "concurrency_limit_invalid"
	CodeBatchSize   = "batch_size_invalid"
	CodeBatchWait   = "batch_timeout_invalid"
	CodeCombo       = "combo_unsupported"
	CodeConfig      = "config_invalid"
)

// Error is one broken rule of a definition.
type Error struct {
	// Code is one of the codes above; CodeConfig if the rule has none of its own.
	Code string
	// Message is the reference's text.
	Message string
}

// Error returns the message.
func (e Error) Error() string { return e.Message }

// Errors are all broken rules of one or more definitions, in the order of the rules.
type Errors []Error

// maxTexts bounds the text of Errors: an app may have thousands of functions.
const maxTexts = 100

// Error returns the text that is stored with the app:
// "2 errors occurred: * <a> * <b>".
func (e Errors) Error() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(e)))
	b.WriteString(" errors occurred:")
	for i, err := range e {
		if i == maxTexts {
			fmt.Fprintf(&b, " * and %d more", len(e)-maxTexts)
			break
		}
		b.WriteString(" * ")
		b.WriteString(err.Message)
	}
	return b.String()
}

func (e *Errors) add(format string, args ...any) { e.addCode(CodeConfig, format, args...) }

func (e *Errors) addCode(code, format string, args ...any) {
	*e = append(*e, Error{Code: code, Message: fmt.Sprintf(format, args...)})
}
