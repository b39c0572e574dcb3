package loadgen

import (
	"fmt"
	"math"
	"sort"
	"strconv"

	"ingot/loadgen/app"
	"ingot/loadgen/flow"
)

// appName is that of the built-in app. It is always the same, so that a later
// measurement takes over the functions of an earlier one.
const appName = "loadgen"

// part is one workload of a measurement: a mix has several.
type part struct {
	Workload
	shape     Shape
	weight    float64
	functions []app.Function
	templates []*template
	skewed    []float64 // cumulative share of each template; nil is uniform
}

// newPart makes the functions and events of a workload. id tells parts apart.
func newPart(w Workload, given Shape, id string) *part {
	p := &part{Workload: w, shape: given.or(w.Shape), weight: 1}
	if p.shape.Checkpoint && p.kind == app.Sequential {
		p.kind = app.Checkpoint
	}
	for i := range p.shape.Functions {
		name := id + "-" + strconv.Itoa(i)
		event := "lg/" + name
		t := newTemplate(p, event, p.shape.Size)
		t.function = i
		p.templates = append(p.templates, t)
		if !p.noRuns {
			p.addFunction(name, event)
		}
	}
	if p.shape.Skew > 0 {
		p.skewed = zipf(len(p.templates), p.shape.Skew)
	}
	return p
}

// addFunction makes the function that an event starts, and those it invokes.
func (p *part) addFunction(name, event string) {
	b := app.Behaviour{Kind: p.kind, Steps: p.shape.Steps, Output: p.shape.Output, Think: p.shape.Think, Sleep: p.shape.Sleep,
		Failures: p.shape.Failures, RetryAfter: p.shape.RetryAfter, WaitEvent: resumeEvent}
	if p.kind != app.Invokes {
		p.functions = append(p.functions, app.Function{ID: name, Event: event, Flow: p.shape.Flow, Behaviour: b})
		return
	}
	for depth := 0; depth <= p.shape.Steps; depth++ {
		f := app.Function{ID: name, Event: event, Behaviour: b, Flow: p.shape.Flow}
		f.Behaviour.Depth = depth
		f.Behaviour.Child = app.Slug(appName, child(name, depth+1))
		if depth > 0 {
			f.ID, f.Event = child(name, depth), ""
			f.Flow = flow.Config{Limit: p.shape.Flow.Limit} // its event has no key
		}
		if depth == p.shape.Steps {
			f.Behaviour.Kind = app.Return
		}
		p.functions = append(p.functions, f)
	}
}

func child(name string, depth int) string { return fmt.Sprintf("%s-child-%d", name, depth) }

// template chooses the function that event seq is for, the same for every run of
// the same seed.
func (p *part) template(random uint64) *template {
	n := len(p.templates)
	if n == 1 {
		return p.templates[0]
	}
	if p.skewed == nil {
		return p.templates[random%uint64(n)]
	}
	return p.templates[min(n-1, sort.SearchFloat64s(p.skewed, unit(random)))]
}

// zipf returns the cumulative shares of n items, the k-th of which has a share
// proportional to 1/k^s.
func zipf(n int, s float64) []float64 {
	c := make([]float64, n)
	sum := 0.0
	for k := range c {
		sum += math.Pow(float64(k+1), -s)
		c[k] = sum
	}
	for k := range c {
		c[k] /= sum
	}
	return c
}

// unit maps random bits to [0, 1).
func unit(random uint64) float64 { return float64(random>>11) / (1 << 53) }

// scramble is a fixed random number for x (splitmix64's output function).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// work is the mean number of steps and calls of a run over all parts.
func work(parts []*part) (steps, calls float64) {
	var weights float64
	for _, p := range parts {
		s, c := p.Workload.work(p.shape)
		if p.kind == app.Checkpoint {
			s, c = float64(p.shape.Steps), 1
		}
		steps, calls, weights = steps+s*p.weight, calls+c*p.weight, weights+p.weight
	}
	return steps / weights, calls / weights
}
