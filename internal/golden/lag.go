package golden

import (
	"bytes"
	"encoding/json"
	"slices"
)

// laterMemos takes those memos out of a recorded call that the actual one lacks.
//
// In a parallel group the reference reads the memos when its queue gets round to
// the call, some 150 ms after the step whose end led to it, so that the call also
// tells of steps that ended meanwhile. Here the call is made at once. What must
// hold all the same: the call tells of the steps up to its own position
// (stack.current), and of no step that the recorded one does not tell of.
func laterMemos(recorded string, actual []byte) string {
	var want, got struct {
		Ctx struct {
			Stack struct {
				Current int      `json:"current"`
				Stack   []string `json:"stack"`
			} `json:"stack"`
		} `json:"ctx"`
		Steps map[string]json.RawMessage `json:"steps"`
	}
	text := quoteNumbers(recorded)
	if json.Unmarshal([]byte(text), &want) != nil || json.Unmarshal(actual, &got) != nil {
		return recorded
	}
	stack, all := got.Ctx.Stack.Stack, want.Ctx.Stack.Stack
	if len(stack) >= len(all) || len(stack) < want.Ctx.Stack.Current || len(stack) != len(got.Steps) {
		return recorded
	}
	for _, id := range all {
		if slices.Contains(stack, id) {
			continue
		}
		memo, ok := want.Steps[id]
		if !ok {
			return recorded
		}
		text = remove(text, `"`+id+`":`+string(memo))
		text = remove(text, `"`+id+`"`)
	}
	return bareNumbers(text)
}

// remove cuts the first element that is part of a list, with a comma beside it.
func remove(text, element string) string {
	raw := []byte(text)
	for _, form := range []string{element + ",", "," + element, element} {
		if at := bytes.Index(raw, []byte(form)); at >= 0 {
			return text[:at] + text[at+len(form):]
		}
	}
	return text
}
