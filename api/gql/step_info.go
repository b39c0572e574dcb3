package gql

import "ingot/internal/trace"

// stepInfo is the union StepInfo: what package trace says of a step.
type stepInfo struct{ v any }

// invokeInfo is the type InvokeStepInfo.
type invokeInfo struct {
	TriggeringEventID    text
	FunctionID           string
	Timeout              moment
	ReturnEventID, RunID *text
	TimedOut             *bool
}

// ToInvokeStepInfo is one case of the union.
func (i *stepInfo) ToInvokeStepInfo() (*invokeInfo, bool) {
	v, ok := i.v.(*trace.InvokeInfo)
	if !ok {
		return nil, false
	}
	return &invokeInfo{
		idText(v.TriggeringEvent), v.FunctionID, moment(v.Timeout), optionalID(v.ReturnEvent), optionalID(v.Run), v.TimedOut,
	}, true
}

// sleepInfo is the type SleepStepInfo.
type sleepInfo struct{ SleepUntil moment }

// ToSleepStepInfo is one case of the union.
func (i *stepInfo) ToSleepStepInfo() (*sleepInfo, bool) {
	v, ok := i.v.(*trace.SleepInfo)
	if !ok {
		return nil, false
	}
	return &sleepInfo{moment(v.SleepUntil)}, true
}

// eventInfo is the type WaitForEventStepInfo.
type eventInfo struct {
	EventName    string
	Expression   *string
	Timeout      moment
	FoundEventID *text
	TimedOut     *bool
}

// ToWaitForEventStepInfo is one case of the union.
func (i *stepInfo) ToWaitForEventStepInfo() (*eventInfo, bool) {
	v, ok := i.v.(*trace.EventInfo)
	if !ok {
		return nil, false
	}
	return &eventInfo{v.EventName, optionalText(v.Expression), moment(v.Timeout), optionalID(v.FoundEvent), v.TimedOut}, true
}

// signalInfo is the type WaitForSignalStepInfo.
type signalInfo struct {
	Signal   string
	Timeout  moment
	TimedOut *bool
}

// ToWaitForSignalStepInfo is one case of the union.
func (i *stepInfo) ToWaitForSignalStepInfo() (*signalInfo, bool) {
	v, ok := i.v.(*trace.SignalInfo)
	if !ok {
		return nil, false
	}
	return &signalInfo{v.Signal, moment(v.Timeout), v.TimedOut}, true
}

// codeInfo is the type RunStepInfo.
type codeInfo struct{ Type *string }

// ToRunStepInfo is one case of the union.
func (i *stepInfo) ToRunStepInfo() (*codeInfo, bool) {
	v, ok := i.v.(*trace.RunInfo)
	if !ok {
		return nil, false
	}
	return &codeInfo{optionalText(v.Type)}, true
}
