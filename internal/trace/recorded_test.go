package trace

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"ingot/internal/golden"
)

// recordedSpan is a span of a recorded legacy tree.
type recordedSpan struct {
	SpanID, Name, Status string
	Attempts             int
	OutputID             *string
	StartedAt, EndedAt   *string
	StepOp, StepID       *string
	StepInfo             map[string]any
	ChildrenSpans        []recordedSpan
}

type recordedView struct {
	Runs []struct {
		Run struct {
			Data struct {
				Run struct {
					Trace *recordedSpan
				}
			}
		} `json:"gql_run"`
		Outputs []struct {
			OutputID string
			Response struct {
				Data struct {
					Output recordedOutput `json:"runTraceSpanOutputByID"`
				}
			}
		} `json:"gql_outputs"`
		Legacy struct {
			Data struct {
				FunctionRun struct{ History []recordedItem }
			}
		} `json:"gql_functionRun_legacy"`
	}
}

type recordedOutput struct {
	Input, Data *string
	Error       *struct {
		Message     string
		Name, Stack *string
	}
}

type recordedItem struct {
	Type, GroupID        string
	Attempt              int
	StepName, StepType   *string
	URL                  *string
	Sleep, WaitForEvent  map[string]any
	WaitResult           map[string]any
	InvokeFunction       map[string]any
	InvokeFunctionResult map[string]any
	Cancel, Result       map[string]any
}

func loadRecordings(t *testing.T) map[string]*golden.Scenario {
	t.Helper()
	f, err := os.Open("../golden/testdata/runs.jsonl.zst")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := golden.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*golden.Scenario{}
	for _, s := range all {
		byName[strings.TrimSuffix(strings.TrimPrefix(s.File, "runs/"), ".json")] = s
	}
	return byName
}

// TestRecorded compares the legacy tree, its outputs and the legacy history of each
// scenario with what the reference showed of the same run.
func TestRecorded(t *testing.T) {
	t.Parallel()
	recordings := loadRecordings(t)
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name(), func(t *testing.T) {
			t.Parallel()
			view := s.view
			if view == "" {
				view = "final"
			}
			if recordings[s.file] == nil {
				t.Fatal("no such recording")
			}
			var v recordedView
			if err := json.Unmarshal(recordings[s.file].Views[view], &v); err != nil {
				t.Fatal(err)
			}
			want, p := v.Runs[s.run], s.tape()
			tr := p.trace()
			root := Legacy(tr, p.env)
			if root == nil || want.Run.Data.Run.Trace == nil {
				t.Fatalf("legacy tree: %v, recorded %v", root, want.Run.Data.Run.Trace)
			}
			check(t, s.legacyDiffers, legacyLines(root), recordedLines(want.Run.Data.Run.Trace))
			check(t, s.historyDiffers, historyLines(History(tr, p.env)), recordedHistory(want.Legacy.Data.FunctionRun.History))
			if s.legacyDiffers != "" {
				return
			}
			mine := outputIDs(root)
			n := 0
			for i, id := range outputIDsRecorded(want.Run.Data.Run.Trace) {
				for _, o := range want.Outputs {
					if o.OutputID == id {
						n++
						compareOutput(t, OutputOf(tr, p.env, parse(t, mine[i])), &o.Response.Data.Output)
						break
					}
				}
			}
			if n != len(mine) {
				t.Errorf("%d outputs, recorded %d", len(mine), n)
			}
		})
	}
}

func parse(t *testing.T, id string) *OutputID {
	t.Helper()
	o, err := ParseOutputID(id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return o
}

// check compares, and sees to it that a reason for a difference does not outlive it.
func check(t *testing.T, reason, got, want string) {
	t.Helper()
	switch {
	case reason == "" && got != want:
		t.Errorf("got\n%s\nrecorded\n%s", got, want)
	case reason != "" && got == want:
		t.Errorf("is as recorded, but was expected to differ: %s", reason)
	}
}

func outputIDs(s *Span) (out []string) {
	if s.OutputID != "" {
		out = append(out, s.OutputID)
	}
	for _, c := range s.Children {
		out = append(out, outputIDs(c)...)
	}
	return out
}

func outputIDsRecorded(s *recordedSpan) (out []string) {
	if s.OutputID != nil {
		out = append(out, *s.OutputID)
	}
	for i := range s.ChildrenSpans {
		out = append(out, outputIDsRecorded(&s.ChildrenSpans[i])...)
	}
	return out
}

// compareOutput compares what a scenario says exactly; the outputs of functions are
// shortened there.
func compareOutput(t *testing.T, got *Output, want *recordedOutput) {
	t.Helper()
	if (got.Data == nil) != (want.Data == nil) || (got.Error == nil) != (want.Error == nil) || (got.Input == nil) != (want.Input == nil) {
		t.Errorf("output %s error %v input %s, recorded %v %v %v", got.Data, got.Error, got.Input, str(want.Data), want.Error, str(want.Input))
		return
	}
	if got.Input != nil && string(got.Input) != *want.Input {
		t.Errorf("input %s, recorded %s", got.Input, *want.Input)
	}
	if e := got.Error; e != nil {
		if e.Message != want.Error.Message || !reflect.DeepEqual(e.Name, want.Error.Name) || !reflect.DeepEqual(e.Stack, want.Error.Stack) {
			t.Errorf("error %+v, recorded %+v", e, want.Error)
		}
		return
	}
	text := strings.ReplaceAll(*want.Data, "<MS>", "1")
	if got.Text {
		if want, _ := json.Marshal(text); string(got.Data) != string(want) {
			t.Errorf("text %s, recorded %s", got.Data, want)
		}
		return
	}
	var a, b any
	if json.Unmarshal(got.Data, &a) != nil || json.Unmarshal([]byte(text), &b) != nil {
		t.Errorf("output %s, recorded %s", got.Data, text)
		return
	}
	shortened := string(got.Data) == "{}" || strings.Contains(text, "memo") || strings.Contains(text, "defers") || strings.Contains(text, "choices")
	if !shortened && !reflect.DeepEqual(a, b) {
		t.Errorf("output %s, recorded %s", got.Data, text)
	}
}

func str(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// kindOf is what an id that is no span's says: exec-, steprun- or queued.
func kindOf(spanID string) string {
	if spanID == "queued" {
		return spanID
	}
	if head, _, ok := strings.Cut(spanID, "-"); ok && (head == "exec" || head == "steprun") {
		return head
	}
	return "span"
}

func legacyLines(s *Span) string {
	var b strings.Builder
	var walk func(s *Span, depth int)
	walk = func(s *Span, depth int) {
		name := s.Name
		if depth == 0 {
			name = "(root)"
		}
		fmt.Fprintf(&b, "%s%s %s a%d %s op=%q step=%.8s out=%v started=%v ended=%v %s\n", strings.Repeat("  ", depth), name, s.Status,
			s.Attempts, kindOf(s.SpanID), s.StepOp, s.StepID, s.OutputID != "", s.StartedAt != 0, s.EndedAt != 0, infoText(s.StepInfo))
		for _, c := range s.Children {
			walk(c, depth+1)
		}
	}
	walk(s, 0)
	return b.String()
}

func recordedLines(s *recordedSpan) string {
	var b strings.Builder
	var walk func(s *recordedSpan, depth int)
	walk = func(s *recordedSpan, depth int) {
		name, op, id := s.Name, "", ""
		if depth == 0 {
			name = "(root)"
		}
		if s.StepOp != nil {
			op = *s.StepOp
		}
		if s.StepID != nil {
			id = *s.StepID
		}
		fmt.Fprintf(&b, "%s%s %s a%d %s op=%q step=%.8s out=%v started=%v ended=%v %s\n", strings.Repeat("  ", depth), name, s.Status,
			s.Attempts, kindOf(s.SpanID), op, id, s.OutputID != nil, s.StartedAt != nil, s.EndedAt != nil, recordedInfo(s.StepInfo))
		for i := range s.ChildrenSpans {
			walk(&s.ChildrenSpans[i], depth+1)
		}
	}
	walk(s, 0)
	return b.String()
}

func boolText(b *bool) string {
	if b == nil {
		return "<nil>"
	}
	return fmt.Sprint(*b)
}

func infoText(info any) string {
	switch i := info.(type) {
	case *RunInfo:
		return "run " + i.Type
	case *SleepInfo:
		return "sleep"
	case *InvokeInfo:
		return fmt.Sprintf("invoke %s returned=%v run=%v late=%s", i.FunctionID, i.ReturnEvent != ulid0, i.Run != ulid0, boolText(i.TimedOut))
	case *EventInfo:
		return fmt.Sprintf("event %s found=%v late=%s", i.EventName, i.FoundEvent != ulid0, boolText(i.TimedOut))
	case *SignalInfo:
		return fmt.Sprintf("signal %s late=%s", i.Signal, boolText(i.TimedOut))
	}
	return "-"
}

func recordedInfo(i map[string]any) string {
	switch i["__typename"] {
	case "RunStepInfo":
		return fmt.Sprintf("run %v", i["type"])
	case "SleepStepInfo":
		return "sleep"
	case "InvokeStepInfo":
		return fmt.Sprintf("invoke %v returned=%v run=%v late=%v", i["functionID"], i["returnEventID"] != nil, i["runID"] != nil, i["timedOut"])
	case "WaitForEventStepInfo":
		return fmt.Sprintf("event %v found=%v late=%v", i["eventName"], i["foundEventID"] != nil, i["timedOut"])
	case "WaitForSignalStepInfo":
		return fmt.Sprintf("signal %v late=%v", i["signal"], i["timedOut"])
	}
	return "-"
}
