package golden

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Which recorded call an actual one is, and how the two differ.

// match finds the recorded call that an actual one is, compares the two, and marks
// it as made; nil if none is left.
func (r *Replay) match(c *call) *moment {
	r.awaitAnswers()
	r.mu.Lock()
	defer r.mu.Unlock()
	type candidate struct {
		m     *moment
		score int
	}
	var candidates []candidate
	for _, m := range r.t.moments {
		if m.role != roleCall || isClosed(m.arrived) {
			continue
		}
		var diffs []string
		if r.b.try(func() bool { diffs = r.compare(m, c); return diffs == nil }) {
			m.arrive()
			return m
		}
		if samePath(m.Request.Path, c.path) && sameTarget(m.Request.Path, c.path) {
			candidates = append(candidates, candidate{m, score(diffs)})
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	sort.SliceStable(candidates, func(i, j int) bool { return candidates[i].score < candidates[j].score })
	m := candidates[0].m
	m.arrive()
	for _, d := range r.compare(m, c) {
		r.problems = append(r.problems, fmt.Sprintf("call %d (%s): %s", m.Seq, describe(m), d))
	}
	return m
}

// samePath says that two requests go to the same path.
func samePath(want, got string) bool {
	w, _, _ := strings.Cut(want, "?")
	g, _, _ := strings.Cut(got, "?")
	return w == g
}

// sameTarget says that two paths name the same function and step.
func sameTarget(want, got string) bool {
	w, err1 := url.ParseRequestURI(placeholderForm.ReplaceAllString(want, ""))
	g, err2 := url.ParseRequestURI(got)
	if err1 != nil || err2 != nil {
		return want == got
	}
	return w.Query().Get("fnId") == g.Query().Get("fnId") && w.Query().Get("stepId") == g.Query().Get("stepId")
}

// score weighs differences: another run or event is another call, another attempt
// or memo probably too; any other is a difference in the same call.
func score(diffs []string) int {
	n := len(diffs)
	for _, d := range diffs {
		switch {
		case strings.HasPrefix(d, "body.ctx.run_id"), strings.HasPrefix(d, "body.event.id"):
			n += 1000
		case strings.HasPrefix(d, "body.ctx.attempt"), strings.HasPrefix(d, "body.ctx.stack"), strings.HasPrefix(d, "body.steps"):
			n += 100
		}
	}
	return n
}

// awaitAnswers waits, with a bound, until no request is in flight whose answer was
// recorded earlier than the next call: its answer names the ids that the call carries.
func (r *Replay) awaitAnswers() {
	deadline := time.Now().Add(r.answerPatience)
	next := int64(1 << 62)
	for _, m := range r.t.moments {
		if m.role == roleCall && !isClosed(m.arrived) {
			next = m.At
			break
		}
	}
	for _, m := range r.t.moments {
		if m.role != roleClient || m.until() > next || !isClosed(m.arrived) {
			continue
		}
		select {
		case <-m.done:
		case <-time.After(time.Until(deadline)):
		}
	}
}

// compare returns the differences between a recorded and an actual call.
func (r *Replay) compare(m *moment, c *call) []string {
	var diffs []string
	if m.Request.Method != c.method {
		diffs = append(diffs, fmt.Sprintf("method: recorded %s, got %s", m.Request.Method, c.method))
	}
	if err := r.b.Match(m.Request.Path, c.path); err != nil {
		diffs = append(diffs, "path: "+err.Error())
	}
	unordered := func(path string) bool { return r.parallel && path == "body.ctx.stack.stack" }
	want := &m.Request.Body
	if r.parallel && !want.Large() {
		want = &Body{Raw: laterMemos(want.Raw, c.body)}
	}
	diffs = append(diffs, compareBody(want, c.body, r.b, unordered)...)
	diffs = append(diffs, compareHeader(m.Request.Headers, c.header, r.b, true)...)
	for _, d := range []string{checkQueueRef(c.body), checkSignature(c.header, c.body)} {
		if d != "" {
			diffs = append(diffs, d)
		}
	}
	return diffs
}

// checkQueueRef checks that ctx.qi_id is made of ctx.job_id.
func checkQueueRef(body []byte) string {
	if !bytes.HasPrefix(body, []byte(`{"ctx":`)) {
		return ""
	}
	var in struct {
		Ctx struct {
			JobID string `json:"job_id"`
			Ref   string `json:"qi_id"`
		} `json:"ctx"`
	}
	if json.Unmarshal(body, &in) != nil {
		return "" // the comparison of the bodies tells
	}
	if want := base64.StdEncoding.EncodeToString([]byte(in.Ctx.JobID + "::default")); in.Ctx.Ref != want && in.Ctx.JobID != "" {
		return fmt.Sprintf("body.ctx.qi_id: %s is not %s", in.Ctx.Ref, want)
	}
	return ""
}
