package loadgen

import (
	"fmt"
	"time"

	"ingot/loadgen/flow"
)

// Shape is what one run looks like, and which functions there are. A zero field
// means the preset's value.
type Shape struct {
	// Steps are the steps of a run one after the other, the branches of a fan-out or
	// the depth of an invoke chain, as the workload has it.
	Steps       int           `yaml:"steps"`
	Size        int           `yaml:"size"`         // bytes of one event
	Output      int           `yaml:"output"`       // bytes that each step returns
	Think       time.Duration `yaml:"think"`        // time that the app takes for a step
	Sleep       time.Duration `yaml:"sleep"`        // length of a sleep
	Failures    int           `yaml:"failures"`     // times that each step fails before it succeeds
	RetryAfter  time.Duration `yaml:"retry_after"`  // after which a failed step is to be tried again
	ResumeAfter time.Duration `yaml:"resume_after"` // from a reported wait to the event that ends it
	Checkpoint  bool          `yaml:"checkpoint"`   // post steps as they are done, in one call
	Functions   int           `yaml:"functions"`    // functions that share the events
	Skew        float64       `yaml:"skew"`         // exponent of a Zipf distribution over them; 0 is uniform
	Flow        flow.Config   `yaml:",inline"`      // of each function
}

// MaxWait bounds the times in a shape.
const MaxWait = time.Hour

func (s Shape) validate() error {
	for _, b := range []struct {
		name  string
		value int64
		limit int64
	}{
		{"steps", int64(s.Steps), MaxSteps},
		{"size", int64(s.Size), MaxSize},
		{"output", int64(s.Output), MaxSize},
		{"think", int64(s.Think), int64(MaxWait)},
		{"sleep", int64(s.Sleep), int64(MaxWait)},
		{"failures", int64(s.Failures), 20},
		{"retry-after", int64(s.RetryAfter), int64(MaxWait)},
		{"resume-after", int64(s.ResumeAfter), int64(MaxWait)},
		{"functions", int64(s.Functions), MaxFunctions},
	} {
		if b.value < 0 || b.value > b.limit {
			return fmt.Errorf("%s is %d, it must be from 0 to %d", b.name, b.value, b.limit)
		}
	}
	if s.Skew < 0 || s.Skew > 10 {
		return fmt.Errorf("skew is %g, it must be from 0 to 10", s.Skew)
	}
	return s.Flow.Validate()
}

// or returns s with the zero fields taken from preset.
func (s Shape) or(preset Shape) Shape {
	return Shape{
		Steps: pick(s.Steps, preset.Steps), Size: pick(s.Size, preset.Size), Output: pick(s.Output, preset.Output),
		Think: pick(s.Think, preset.Think), Sleep: pick(s.Sleep, preset.Sleep), Failures: pick(s.Failures, preset.Failures),
		RetryAfter: pick(s.RetryAfter, preset.RetryAfter), ResumeAfter: pick(s.ResumeAfter, preset.ResumeAfter),
		Checkpoint: s.Checkpoint || preset.Checkpoint,
		Functions:  pick(s.Functions, preset.Functions), Skew: pick(s.Skew, preset.Skew), Flow: s.Flow.Or(preset.Flow),
	}
}

func pick[T comparable](given, preset T) T {
	var zero T
	if given != zero {
		return given
	}
	return preset
}
