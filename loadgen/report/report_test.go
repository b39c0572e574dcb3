package report

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

// synthetic makes a plausible result of one target, slower by factor.
func synthetic(name string, seed uint64, factor float64) *result.Result {
	random := rand.New(rand.NewPCG(seed, 9))
	wobble := func() float64 { return factor * math.Exp(0.03*random.NormFloat64()) }
	const seconds, perSecond = 12, 2000
	n := int64(seconds * perSecond)
	r := &result.Result{
		Schema: result.Schema, Started: time.Date(2026, 11, 23, 10, 0, int(seed%60), 0, time.UTC),
		Command: "loadgen run --target " + name + "=http://127.0.0.1:8288 --workload steps",
		Machine: result.Machine{CPU: "Some CPU 3.1 GHz", Cores: 4, Memory: 16 << 30, OS: "linux/amd64", Go: "go1.26.0"},
		Target:  result.Target{Name: name, URL: "http://127.0.0.1:8288", Version: "1.2.3", PID: 42},
		Workload: result.Workload{Name: "steps", Parameters: map[string]string{"steps": "3", "size": "200"},
			StepsPerRun: 3, CallsPerRun: 4},
		Pacing: result.Pacing{Kind: "constant", Rate: perSecond, Clients: 64, Batch: 1},
		WarmUp: 2, Window: seconds, Drain: 0.2,
		Counts: result.Counts{Requests: n, Events: n, Accepted: n, Expected: n, Started: n, Completed: n, Steps: 3 * n, Calls: 4 * n},
		Throughput: result.Throughput{Requests: perSecond, Events: perSecond, Runs: perSecond, Steps: 3 * perSecond,
			Busy: seconds},
		Latency: map[string]*result.Histogram{},
		Server: result.Usage{CPUSeconds: 3.4 * factor, CPUPerRun: 0.14 * wobble(), CPUPerEvent: 140 * wobble(), Cores: 0.28 * factor, RSSMax: int64(84e6 * wobble()),
			RSSEnd: 80e6, WrittenBytes: 412 * n, BytesPerRun: 412 * wobble(), Fsyncs: n / 3, FsyncsPerRun: 0.33 * wobble()},
		Generator: result.Generator{CPUSeconds: 2, Cores: 0.17, LagP99: 210, LagMax: 2900},
	}
	for name, us := range map[string]float64{result.Request: 600, result.Service: 550, result.FirstCall: 900, result.Step: 190, result.Complete: 2100} {
		h := result.NewHistogram()
		scale := us * wobble()
		for range n {
			v := scale * math.Exp(0.35*random.NormFloat64())
			if random.IntN(500) == 0 {
				v *= 4 + 8*random.Float64()
			}
			if err := h.RecordValue(int64(v) + 1); err != nil {
				panic(err)
			}
		}
		r.Latency[name] = h
	}
	for s := range seconds + 2 {
		at := wobble()
		r.Series = append(r.Series, result.Sample{
			At: result.Seconds(s - 2), Events: perSecond, Accepted: perSecond - int64(20*at), Completed: perSecond - int64(40*at), Steps: 3 * perSecond,
			Backlog: int64(30 * at * factor), RequestP50: int64(600 * at), RequestP99: int64(2000 * at), FirstCallP50: int64(900 * at),
			FirstCallP99: int64(3000 * at), StepP99: int64(700 * at), ServerCores: 0.28 * at, ServerRSS: int64(60e6 + 2e6*float64(s)),
		})
	}
	return r
}

// comparison compares A with B, which is slower by factor.
func comparison(t *testing.T, rounds int, factor float64) *compare.Comparison {
	t.Helper()
	seed := uint64(0)
	c, err := compare.Run(t.Context(), compare.Config{Targets: []string{"reference", "ingot"}, Rounds: rounds,
		Measure: func(_ context.Context, name string, _ int) (*result.Result, error) {
			seed++
			if name == "ingot" {
				return synthetic(name, seed, factor), nil
			}
			return synthetic(name, seed, 1), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
