package gql

import (
	"context"

	"ingot/internal/ids"
)

// Debug sessions. Nothing is stored of them, here as in the reference; a rerun does not
// keep the ids that it is given, so there are no traces to find by them.

type debugArgs struct {
	Query struct {
		WorkspaceID, FunctionSlug string
		DebugRunID, RunID         *string
	}
}

// debugRunNode is the type DebugRun.
type debugRunNode struct{ DebugTraces *[]*spanNode }

// DebugRun shows the runs of a debugging.
func (*query) DebugRun(context.Context, debugArgs) *debugRunNode {
	return &debugRunNode{&[]*spanNode{}}
}

type debugSessionArgs struct {
	Query struct {
		WorkspaceID, FunctionSlug string
		DebugSessionID, RunID     *string
	}
}

// debugSessionNode is the type DebugSession.
type debugSessionNode struct{ DebugRuns *[]*debugSessionRun }

// debugSessionRun is the type DebugSessionRun.
type debugSessionRun struct {
	Status             string
	QueuedAt           moment
	StartedAt, EndedAt *moment
	DebugRunID         *text
	Tags, Versions     *[]string
}

// DebugSession shows a session.
func (*query) DebugSession(_ context.Context, args debugSessionArgs) (*debugSessionNode, error) {
	if args.Query.DebugSessionID == nil {
		return nil, refuse("debug session not found")
	}
	return &debugSessionNode{&[]*debugSessionRun{}}, nil
}

// debugIDs is the type CreateDebugSessionResponse.
type debugIDs struct{ DebugSessionID, DebugRunID text }

// CreateDebugSession makes two ids.
func (*mutation) CreateDebugSession(context.Context, struct {
	Input struct {
		WorkspaceID, FunctionSlug string
		RunID                     *string
	}
}) debugIDs {
	return debugIDs{idText(ids.Now()), idText(ids.Now())}
}
