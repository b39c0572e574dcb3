package trace

import (
	"bytes"
	"encoding/json"

	"ingot/storage/history"
)

// Output is the input and the result of a span (spec 02 §9.7). All fields are nil if
// there is nothing.
type Output struct {
	Input, Data json.RawMessage
	// Text says that Data is a JSON string because the answer was text and no JSON.
	Text  bool
	Error *StepError
}

// StepError is an error as user code threw it.
type StepError struct {
	Message     string
	Name, Stack *string
	Cause       json.RawMessage // nil if there is none
}

// OutputOf returns what an id that Tree or Legacy gave stands for. An id of another run
// or of no span gives an empty output, as in the reference.
func OutputOf(t *history.Trace, env Env, id *OutputID) *Output {
	if id.Run != t.Run.ID {
		return &Output{}
	}
	if !id.Preview {
		return legacyOutput(t, env, id)
	}
	return build(t, &env).outputs().of(id)
}

// TreeWithOutputs is Tree, and what OutputOf would answer for the ids in it, made at once.
func TreeWithOutputs(t *history.Trace, env Env) (*Span, func(id *OutputID) *Output) {
	b := build(t, &env)
	return b.shape(), b.outputs().of
}

// outputs are what the spans of a tree have, by their ids.
type outputs struct {
	story  *story
	bySpan map[string][]*output
}

func (b *builder) outputs() *outputs {
	o := &outputs{story: b.story, bySpan: make(map[string][]*output, len(b.outs))}
	for i := range b.outs {
		out := &b.outs[i]
		if out.span == "" {
			continue // of a run whose end is not known
		}
		o.bySpan[out.span] = append(o.bySpan[out.span], out)
	}
	return o
}

func (s *outputs) of(id *OutputID) *Output {
	out := &Output{}
	for _, o := range s.bySpan[id.Span] {
		if len(o.data) > 0 {
			o.unwrap(out)
		}
	}
	input := id.Input
	if input == "" {
		input = id.Span
	}
	for _, o := range s.bySpan[input] {
		out.Input = o.input
		if o.events {
			out.Input = s.story.events()
		}
	}
	return out
}

// unwrap splits a value into result and error.
func (o *output) unwrap(out *Output) {
	switch o.form {
	case formPlain:
		out.Data, out.Text = o.data, o.text
	case formError:
		out.Error = parseError(o.data)
	case formMemo, formWhole:
		m := parseMemo(o.data)
		switch {
		case m.Error != nil:
			out.Error = parseError(m.Error)
		case o.form == formWhole, m.Data == nil, m.Name != nil: // an event, or nothing that is known
			out.Data = o.data
		default:
			out.Data = m.Data
		}
	}
}

// memo is what a step's memo may have.
type memo struct {
	Data  json.RawMessage `json:"data"`
	Error json.RawMessage `json:"error"`
	Name  json.RawMessage `json:"name"`
}

func parseMemo(raw []byte) (m memo) {
	if json.Unmarshal(raw, &m) != nil {
		return memo{}
	}
	return m
}

// isError reports whether a memo is an error's.
func isError(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte(`{"error"`)) && parseMemo(raw).Error != nil
}

// parseError reads an error object. What is none goes into the stack as it is, text
// without its quotes.
func parseError(raw []byte) *StepError {
	var e struct {
		Message     *string `json:"message"`
		Name, Stack *string
		Cause       json.RawMessage `json:"cause"`
	}
	if json.Unmarshal(raw, &e) != nil || e.Message == nil {
		text := string(raw)
		_ = json.Unmarshal(raw, &text) // stays as it is if it is no string
		return &StepError{Stack: &text}
	}
	if string(e.Cause) == "null" {
		e.Cause = nil
	}
	return &StepError{Message: *e.Message, Name: e.Name, Stack: e.Stack, Cause: e.Cause}
}

// events is the array of the run's events as far as they are known.
func (s *story) events() json.RawMessage {
	out := json.RawMessage{'['}
	for _, id := range s.t.Run.Events {
		if s.env.Event == nil {
			break
		}
		if raw := s.env.Event(id); len(raw) > 0 {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, raw...)
		}
	}
	return append(out, ']')
}
