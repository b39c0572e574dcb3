package gql

import "ingot/internal/trace"

// historyNode is the type RunHistoryItem. Its type may also be one that the schema does not
// name, such as StepInvoking, as in the reference.
type historyNode struct {
	Attempt              int32
	Cancel               *historyCancel
	CreatedAt            moment
	FunctionVersion      int32
	GroupID              *text
	ID                   text
	Result               *historyResult
	Sleep                *historySleep
	StepName, URL        *string
	StepType             *string
	Type                 string
	WaitForEvent         *historyWait
	WaitResult           *historyWaitResult
	InvokeFunction       *historyInvoke
	InvokeFunctionResult *historyInvokeResult
}

type (
	historyCancel struct {
		EventID    *text
		Expression *string
		UserID     *text
	}
	historyResult struct {
		DurationMS                     int32
		ErrorCode, Framework, Platform *string
		SDKLanguage, SDKVersion        string
		SizeBytes                      int32
	}
	historySleep struct{ Until moment }
	historyWait  struct {
		EventName  string
		Expression *string
		Timeout    moment
	}
	historyWaitResult struct {
		EventID *text
		Timeout bool
	}
	historyInvoke struct {
		EventID                   text
		FunctionID, CorrelationID string
		Timeout                   moment
	}
	historyInvokeResult struct {
		EventID *text
		Timeout bool
		RunID   *text
	}
)

func historyOf(it *trace.HistoryItem, version int32) *historyNode {
	n := &historyNode{
		Attempt: count(int64(it.Attempt)), CreatedAt: moment(it.CreatedAt), FunctionVersion: version, ID: idText(it.ID),
		StepName: optionalText(it.StepName), URL: optionalText(it.URL), StepType: optionalText(it.StepType), Type: it.Type,
	}
	if it.GroupID != "" {
		n.GroupID = new(text(it.GroupID))
	}
	if c := it.Cancel; c != nil {
		n.Cancel = &historyCancel{EventID: optionalID(c.Event), Expression: optionalText(c.Expression)}
	}
	if r := it.Result; r != nil {
		n.Result = &historyResult{
			DurationMS: count(r.DurationMS), Framework: optionalText(r.Framework), Platform: optionalText(r.Platform),
			SDKLanguage: r.SDKLanguage, SDKVersion: r.SDKVersion, SizeBytes: count(r.Size),
		}
	}
	if it.SleepUntil != 0 {
		n.Sleep = &historySleep{moment(it.SleepUntil)}
	}
	if w := it.WaitForEvent; w != nil {
		n.WaitForEvent = &historyWait{w.EventName, optionalText(w.Expression), moment(w.Timeout)}
	}
	if w := it.WaitResult; w != nil {
		n.WaitResult = &historyWaitResult{optionalID(w.Event), w.TimedOut}
	}
	if i := it.Invoke; i != nil {
		n.InvokeFunction = &historyInvoke{idText(i.Event), i.FunctionID, i.CorrelationID, moment(i.Timeout)}
	}
	if i := it.InvokeResult; i != nil {
		n.InvokeFunctionResult = &historyInvokeResult{optionalID(i.Event), i.TimedOut, optionalID(i.Run)}
	}
	return n
}
