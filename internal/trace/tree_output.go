package trace

import (
	"bytes"
	"encoding/json"

	"ingot/engine"
)

// outputForm is how an output is written.
type outputForm uint8

const (
	// formMemo is a step's memo: {"data":…}, {"error":…}, or an event.
	formMemo outputForm = iota
	// formPlain is a function's result, formError an error object.
	formPlain
	formError
	// formWhole is a memo that is shown as it is, unless it is an error's.
	formWhole
)

// output is what a span has besides what the tree shows.
type output struct {
	span  string
	data  []byte // raw JSON; nil if there is none
	text  bool   // data was text and no JSON
	form  outputForm
	input []byte // raw JSON; nil if there is none
	// events says that the input are the run's events.
	events bool
}

// result is what the run ended with.
func (s *story) result() output {
	out := output{data: s.t.Run.Output, text: s.t.Run.Text, form: formPlain}
	if s.end != nil && len(s.end.Payload) > 0 {
		out.data, out.text = s.end.Payload, s.end.Flags&engine.FlagText != 0
	}
	if s.status() == Failed {
		out.form = formError
	}
	return out
}

// callOutput is what an answer had that was the function's result or error. The last
// one's is with the end of the run.
func (s *story) callOutput(c *call) output {
	switch {
	case c.failed && len(c.answer.Payload) > 0:
		return output{data: c.answer.Payload, text: c.answer.Flags&engine.FlagText != 0, form: formError}
	case c.due == 0 && s.end != nil && s.end.Kind != engine.RunCancelled:
		return s.result()
	}
	return output{}
}

// output keeps what belongs to a span and returns its id; empty if there is nothing.
func (b *builder) output(n *node, out output) string {
	out.span = n.SpanID
	var id OutputID
	switch {
	case len(out.data) > 0:
		id.Span = n.SpanID
	case len(out.input) > 0:
		id.Input = n.SpanID
	default:
		return ""
	}
	b.outs = append(b.outs, out)
	return b.outputID(id)
}

func (b *builder) outputID(id OutputID) string {
	if id.Span == "" && id.Input == "" {
		return ""
	}
	id.Run, id.Preview = b.t.Run.ID, true
	return id.String()
}

// stepInput is what a step's options say that it was given: its arguments, or what is
// asked of a model; nil if nothing.
func stepInput(opts []byte) []byte {
	if !bytes.Contains(opts, []byte(`"input"`)) && !bytes.Contains(opts, []byte(`"body"`)) {
		return nil
	}
	var in struct {
		Input json.RawMessage `json:"input"`
		Type  string          `json:"type"`
		Body  json.RawMessage `json:"body"`
	}
	if json.Unmarshal(opts, &in) != nil {
		return nil
	}
	if in.Type == "step.ai.infer" {
		in.Input = in.Body
	}
	if string(in.Input) == "null" {
		return nil
	}
	return in.Input
}
