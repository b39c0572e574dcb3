package gql

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"

	"ingot/internal/ids"
	"ingot/internal/trace"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// runNode is the type FunctionRunV2.
type runNode struct {
	set *runSet
	run *history.Run
	// listed says that it is shown as the reference shows runs in a list: from the root
	// span alone (spec 02 §9.5).
	listed bool
}

// Run finds a run.
func (*query) Run(ctx context.Context, args struct{ RunID string }) (*runNode, error) {
	return findRun(ctx, args.RunID)
}

func findRun(ctx context.Context, text string) (*runNode, error) {
	id, err := ulid.ParseStrict(text)
	if err != nil {
		return nil, refuse("error parsing runID: " + err.Error())
	}
	run, err := oneRun(ctx, id)
	return run, absent(err, "error retrieving run: "+textNoRows)
}

// oneRun is a set of one run with its output. history.ErrNotFound.
func oneRun(ctx context.Context, id ulid.ULID) (*runNode, error) {
	r := of(ctx)
	h, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	run, err := h.Run(ctx, id)
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	set := &runSet{req: r, runs: []*history.Run{run}, whole: true}
	return set.node(run), nil
}

// statuses are the names of states.
var statuses = map[history.Status]string{
	history.Scheduled: "QUEUED", history.Running: "RUNNING", history.Completed: "COMPLETED",
	history.Failed: "FAILED", history.Cancelled: "CANCELLED", history.Skipped: "SKIPPED",
}

func (n *runNode) ID() text                { return idText(n.run.ID) }
func (n *runNode) FunctionID() text        { return text(n.run.Function.String()) }
func (n *runNode) Function() *functionNode { return functionOf(n.set.req, n.run.Function) }
func (n *runNode) App() *appNode           { return n.Function().App() }
func (n *runNode) AppID() text             { return text(n.Function().fn.AppID.String()) }
func (n *runNode) QueuedAt() moment        { return moment(n.run.QueuedAt) }
func (n *runNode) Status() string          { return statuses[n.run.Status] }
func (n *runNode) SourceID() *string       { return nil }
func (n *runNode) IsDeferred() bool        { return n.run.Deferred }
func (n *runNode) CronSchedule() *string   { return optionalText(n.run.Cron) }

// TraceID is the trace of the run alone in lists, else that of everything which led to it.
func (n *runNode) TraceID(ctx context.Context) (string, error) {
	if n.listed {
		t, _ := ids.RunTrace(n.run.ID)
		return hex.EncodeToString(t[:]), nil
	}
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return "", err
	}
	return trace.TraceID(t), nil
}

// StartedAt is in lists when the run was made, and of a run that ended before it began its
// end, as in the reference.
func (n *runNode) StartedAt() *moment {
	if n.listed {
		return optional(n.run.QueuedAt)
	}
	return optional(cmp.Or(n.run.StartedAt, n.run.EndedAt))
}

// EndedAt of a run that goes on is in lists the last time that something changed about it
// as a whole, as in the reference.
func (n *runNode) EndedAt() *moment {
	if n.listed && n.run.EndedAt == 0 {
		return optional(max(n.run.QueuedAt, n.run.StartedAt))
	}
	return optional(n.run.EndedAt)
}

// TriggerIDs are the internal ids of the events.
func (n *runNode) TriggerIDs() []text {
	out := make([]text, len(n.run.Events))
	for i, id := range n.run.Events {
		out[i] = idText(id)
	}
	return out
}

// EventName is told in lists only, of runs that one event has started.
func (n *runNode) EventName(ctx context.Context) (*string, error) {
	if !n.listed || n.run.Batch || n.run.Cron != "" || len(n.run.Events) != 1 {
		return nil, nil
	}
	e, err := n.set.event(ctx, n.run.Events[0])
	if e == nil {
		return nil, err
	}
	return &e.Name, nil
}

func (n *runNode) IsBatch() bool { return n.run.Batch }

func (n *runNode) BatchCreatedAt() *moment {
	id, ok := n.run.BatchID()
	if !ok || n.listed {
		return nil
	}
	return optional(int64(id.Time()))
}

// Output is absent in lists.
func (n *runNode) Output(ctx context.Context) (*text, error) {
	if n.listed {
		return nil, nil
	}
	out, err := n.result(ctx)
	if out == nil && n.run.Status == history.Completed {
		out = json.RawMessage("null")
	}
	return bytesOf(out), err
}

// result is what the run returned or threw, as it is shown; nil if there is nothing.
func (n *runNode) result(ctx context.Context) (json.RawMessage, error) {
	run, err := n.set.withOutput(ctx, n.run)
	if err != nil || len(run.Output) == 0 {
		return nil, err
	}
	return bare(n.set.req.s.opts.Output(run), run.Text), nil
}

// Trace is the run's tree: what runTrace answers, or without preview the legacy one.
func (n *runNode) Trace(ctx context.Context, args struct{ Preview *bool }) (*spanNode, error) {
	if args.Preview != nil && *args.Preview {
		return n.tree(ctx)
	}
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return nil, err
	}
	env, err := n.set.env(ctx, n.run)
	if err != nil {
		return nil, err
	}
	root := trace.Legacy(t, env)
	if root == nil {
		return nil, refuse("no function run span found")
	}
	return n.span(root, nil), nil
}

// HasAI says whether the run calls models. Lists do not look, as in the reference.
func (n *runNode) HasAI(ctx context.Context) (bool, error) {
	if n.listed {
		return false, nil
	}
	t, err := n.set.trace(ctx, n.run)
	if err != nil {
		return false, err
	}
	return trace.HasAI(t), nil
}
