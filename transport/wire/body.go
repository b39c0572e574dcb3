package wire

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"sync"

	"ingot/engine"
	"ingot/internal/jcs"

	"github.com/oklog/ulid/v2"
)

// MaxRequestBytes bounds the body of a call. Above it the SDK is told to fetch
// the state (spec 01 §7.6).
const MaxRequestBytes = 4 << 20

// maxInlineState is the largest accumulated state that is sent with a call.
const maxInlineState = MaxRequestBytes - 1024

// AppendBody adds the body of a call request (spec 01 §7.3) to dst: canonical
// JSON, assembled from the spans that the engine holds.
func AppendBody(dst []byte, c *engine.Call) []byte {
	start := len(dst)
	withSteps := c.StateSize <= maxInlineState
	dst = appendBody(dst, c, true, withSteps)
	if withSteps && len(dst)-start > MaxRequestBytes {
		dst = appendBody(dst[:start], c, false, false)
	}
	return dst
}

// appendBody writes all keys in canonical order. A part that is left out makes
// the SDK fetch the state by API.
func appendBody(dst []byte, c *engine.Call, withEvents, withSteps bool) []byte {
	useAPI := !withEvents || !withSteps
	dst = append(dst, `{"ctx":`...)
	dst = appendCtx(dst, c, useAPI)
	dst = append(dst, `,"defers":`...)
	dst = appendDefers(dst, c.Defers)
	dst = append(dst, `,"event":`...)
	if len(c.Events) > 0 {
		dst = append(dst, c.Events[0]...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"events":[`...)
	if withEvents {
		for i, e := range c.Events {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, e...)
		}
	}
	dst = append(dst, `],"steps":`...)
	if withSteps {
		dst = appendSteps(dst, c)
	} else {
		dst = append(dst, "{}"...)
	}
	dst = append(dst, `,"use_api":`...)
	dst = strconv.AppendBool(dst, useAPI)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, int64(c.RequestVersion), 10)
	return append(dst, '}')
}

func appendCtx(dst []byte, c *engine.Call, useAPI bool) []byte {
	dst = append(dst, `{"attempt":`...)
	dst = strconv.AppendInt(dst, int64(c.Attempt), 10)
	dst = append(dst, `,"disable_immediate_execution":`...)
	dst = strconv.AppendBool(dst, c.DisableImmediate)
	dst = append(dst, `,"env":"","fn_id":"`...)
	dst = c.Fn.ID.Append(dst)
	dst = append(dst, '"')
	if c.Ref.Generation != 0 {
		dst = append(dst, `,"generation_id":`...)
		dst = strconv.AppendUint(dst, uint64(c.Ref.Generation), 10)
	}
	if c.JobID != "" {
		dst = append(dst, `,"job_id":`...)
		dst = jcs.AppendString(dst, c.JobID)
	}
	dst = append(dst, `,"max_attempts":`...)
	dst = strconv.AppendInt(dst, int64(c.MaxAttempts), 10)
	dst = append(dst, `,"qi_id":"`...)
	dst = appendQueueRef(dst, c.JobID)
	dst = append(dst, `","request_id":"`...)
	dst = AppendULID(dst, c.RequestID)
	dst = append(dst, `","run_id":"`...)
	dst = AppendULID(dst, c.Ref.RunID)
	dst = append(dst, `","stack":{"current":`...)
	dst = strconv.AppendInt(dst, int64(c.Current), 10)
	dst = append(dst, `,"stack":[`...)
	dst = appendStack(dst, c)
	// ctx.step_id names the function's only step, also in a targeted call.
	dst = append(dst, `]},"step_id":"step","use_api":`...)
	dst = strconv.AppendBool(dst, useAPI)
	return append(dst, '}')
}

func appendStack(dst []byte, c *engine.Call) []byte {
	if c.Stack != nil {
		return append(dst, c.Stack...)
	}
	for i := range c.Steps {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jcs.AppendString(dst, c.Steps[i].ID)
	}
	return dst
}

// queueShard is the shard name that the reference appends to a job id.
const queueShard = "::default"

// appendQueueRef adds ctx.qi_id: base64 of the job id and its shard.
func appendQueueRef(dst []byte, jobID string) []byte {
	var buf [96]byte
	ref := append(append(buf[:0], jobID...), queueShard...)
	return base64.StdEncoding.AppendEncode(dst, ref)
}

// AppendULID adds the 26 characters of a ULID.
func AppendULID(dst []byte, id ulid.ULID) []byte {
	dst = append(dst, "00000000000000000000000000"...)
	_ = id.MarshalTextTo(dst[len(dst)-ulid.EncodedSize:]) // the size fits
	return dst
}

func appendDefers(dst []byte, defers []engine.DeferRef) []byte {
	if len(defers) > 1 {
		defers = slices.Clone(defers)
		slices.SortFunc(defers, func(a, b engine.DeferRef) int { return jcs.Compare(a.ID, b.ID) })
	}
	dst = append(dst, '{')
	for i, d := range defers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jcs.AppendString(dst, d.ID)
		dst = append(dst, `:{"abortable":`...)
		dst = strconv.AppendBool(dst, d.Abortable)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// stepRef is one step in the order of ids. A run's every call sorts all of its
// steps, so comparing is made cheap: ids are hashes and differ in their first
// eight bytes, which head holds.
type stepRef struct {
	head  uint64
	step  *engine.Step
	order int
}

// stepRefs are scratch for sorting steps without an allocation per call.
var stepRefs = sync.Pool{New: func() any { return new([]stepRef) }}

func refOf(s *engine.Step, order int) stepRef {
	var head [8]byte
	copy(head[:], s.ID)
	return stepRef{head: binary.BigEndian.Uint64(head[:]), step: s, order: order}
}

func compareRefs(a, b stepRef) int {
	const notASCII = 0x8080808080808080
	if a.head != b.head && (a.head|b.head)&notASCII == 0 {
		return cmp.Compare(a.head, b.head)
	}
	if c := jcs.Compare(a.step.ID, b.step.ID); c != 0 {
		return c
	}
	return a.order - b.order
}

// appendSteps adds the memos and edited inputs, sorted by id. Where both exist
// the memo counts.
func appendSteps(dst []byte, c *engine.Call) []byte {
	if c.Order != nil && len(c.Inputs) == 0 {
		dst = append(dst, '{')
		for n, i := range c.Order {
			dst = appendStep(dst, n, &c.Steps[i])
		}
		return append(dst, '}')
	}
	return appendSorted(dst, c)
}

func appendStep(dst []byte, n int, s *engine.Step) []byte {
	if n > 0 {
		dst = append(dst, ',')
	}
	dst = jcs.AppendString(dst, s.ID)
	dst = append(dst, ':')
	return append(dst, s.Memo...)
}

// appendSorted is appendSteps for steps whose order is not known.
func appendSorted(dst []byte, c *engine.Call) []byte {
	scratch := stepRefs.Get().(*[]stepRef)
	list := (*scratch)[:0]
	for i := range c.Steps {
		list = append(list, refOf(&c.Steps[i], i))
	}
	for i := range c.Inputs {
		list = append(list, refOf(&c.Inputs[i], len(c.Steps)+i))
	}
	slices.SortFunc(list, compareRefs)
	dst = append(dst, '{')
	for i, r := range list {
		if i > 0 && r.step.ID == list[i-1].step.ID {
			continue
		}
		dst = appendStep(dst, i, r.step)
	}
	clear(list) // the pool must not keep memos alive
	*scratch = list[:0]
	stepRefs.Put(scratch)
	return append(dst, '}')
}
