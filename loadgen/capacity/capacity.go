// Package capacity plans from saved results: the highest sustainable rate, what
// limits it, head-room, what a million runs cost, and what more cores, nodes or
// clients would give according to the Universal Scalability Law.
//
// What does not live here: measuring (packages loadgen and search), reading saved
// results (package report), and the fit itself (package stats).
package capacity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ingot/loadgen/result"
)

// operatingShare is the share of the knee that is recommended for everyday load.
// The rest is for peaks, for catching up after a restart, and for what the
// measured workload does not have.
const operatingShare = 0.6

// Config says what the plan is for.
type Config struct {
	// By is what N counts in the scaling: "cores", "nodes", "clients",
	// "concurrency" (mean number of runs under way, by Little's law), or the name of
	// a parameter of the workload. Empty chooses: cores, clients or concurrency,
	// whichever varies.
	By string
	// Expect is the expected rate in runs per second (events, if there are no runs); 0
	// is unknown.
	Expect float64
	Prices Prices
	// DiskFsyncs is how many fsyncs per second the disk can do; 0 is unknown.
	DiskFsyncs float64
}

// Prices are in any one currency; 0 is unknown.
type Prices struct{ CoreHour, GBHour, DiskGBMonth float64 }

// Input is one saved result. N is how many cores, nodes or clients it was measured
// with; 0 means that the result itself says so.
type Input struct {
	Result *result.Result
	N      float64
}

// Plan is a capacity plan, one part for each target and workload.
type Plan struct {
	Config Config
	Parts  []*Part
}

// Part is the plan of one target and workload.
type Part struct {
	Target, Workload string
	// Unit is "runs" or, for workloads without any, "events".
	Unit string
	// Sustained has the highest rate that held each objective.
	Sustained []Sustained
	// Best is the result with the highest rate that held an objective; without any
	// objective that of the highest throughput without loss.
	Best *result.Result
	// Knee is its rate: what the server sustains.
	Knee float64
	// Proven says that a higher rate was tried and did not hold.
	Proven  bool
	Limit   Limit
	Scaling Scaling
	Cost    Cost
	inputs  []Input
}

// Operating is the recommended rate for everyday load.
func (p *Part) Operating() float64 { return p.Knee * operatingShare }

// New makes a plan of saved results.
func New(inputs []Input, c Config) (*Plan, error) {
	if len(inputs) == 0 {
		return nil, errors.New("capacity plan: there is no result")
	}
	for name, v := range map[string]float64{"expect": c.Expect, "price-core-hour": c.Prices.CoreHour, "price-gb-hour": c.Prices.GBHour,
		"price-disk-gb-month": c.Prices.DiskGBMonth, "disk-fsyncs": c.DiskFsyncs} {
		if v < 0 {
			return nil, fmt.Errorf("capacity plan: %s is %v, must not be negative", name, v)
		}
	}
	plan := &Plan{Config: c}
	index := map[string]*Part{}
	for _, in := range inputs {
		r := in.Result
		workload := r.Workload.Name + parameters(r, c.By)
		key := r.Target.Name + "\x00" + workload
		p := index[key]
		if p == nil {
			p = &Part{Target: r.Target.Name, Workload: workload, Unit: "events"}
			index[key], plan.Parts = p, append(plan.Parts, p)
		}
		if r.Throughput.Runs > 0 {
			p.Unit = "runs"
		}
		p.inputs = append(p.inputs, in)
	}
	for _, p := range plan.Parts {
		p.analyse(c)
	}
	return plan, nil
}

// parameters names the settings of a workload but for the one that varies.
func parameters(r *result.Result, by string) string {
	var list []string
	for k, v := range r.Workload.Parameters {
		if k != by {
			list = append(list, k+"="+v)
		}
	}
	if list == nil {
		return ""
	}
	slices.Sort(list)
	return " (" + strings.Join(list, ", ") + ")"
}

func (p *Part) analyse(c Config) {
	p.sustain()
	p.Limit = limit(p, c.DiskFsyncs)
	p.Scaling = p.scale(c.By)
	p.Cost = p.cost(c)
}

// rate is the measured throughput of a result in the unit of the part.
func (p *Part) rate(r *result.Result) float64 {
	if p.Unit == "runs" {
		return r.Throughput.Runs
	}
	return r.Throughput.Events
}
