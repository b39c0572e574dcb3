package report

import (
	"bytes"
	"strings"
	"testing"

	"ingot/loadgen/result"
)

// fixed is a small result whose text is known.
func fixed() *result.Result {
	h := result.NewHistogram()
	for i := int64(1); i <= 1000; i++ {
		if err := h.RecordValue(i); err != nil {
			panic(err)
		}
	}
	return &result.Result{
		Target: result.Target{Name: "ingot"}, Workload: result.Workload{Name: "steps", Parameters: map[string]string{"steps": "3"}},
		Pacing: result.Pacing{Kind: "closed", Clients: 64, Batch: 100}, WarmUp: 2, Window: 10,
		Counts:     result.Counts{Events: 1200, Accepted: 1200, Expected: 1200, Started: 1200, Completed: 1199, Lost: 1, Steps: 3600, Calls: 4800},
		Throughput: result.Throughput{Requests: 12, Events: 1200, Runs: 1199, Steps: 3600},
		Latency:    map[string]*result.Histogram{result.Request: h},
		Errors:     map[string]int64{"timeout": 2},
		Server:     result.Usage{CPUSeconds: 1, Cores: 0.5, CPUPerRun: 0.12, CPUPerEvent: 120, RSSMax: 84e6, RSSEnd: 80e6, WrittenBytes: 5e6, BytesPerRun: 412, FsyncsPerRun: 0.38},
		Generator:  result.Generator{Cores: 0.25, LagP99: 200, LagMax: 3000},
		Objective:  &result.Objective{Text: "request p99 < 50ms", Reason: "1 run was lost"},
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Text(&b, fixed()); err != nil {
		t.Fatal(err)
	}
	want := `ingot · steps (steps=3) · closed loop, 64 clients, 100 events per request · 10 s after 2 s of warm-up
  ! accepted events were lost

objective  NOT met: request p99 < 50ms (1 run was lost)

throughput  1,200 events/s  1,199 runs/s  3,600 steps/s  12.0 requests/s

latency, ms  p50    p90    p99    p99.9  max   count
  request    0.500  0.900  0.990  0.999  1.00  1,000

events  1,200 sent       1,200 accepted  0 refused        0 unanswered  0 unsent
runs    1,200 expected   1,200 started   1,199 completed  1 lost        0 doubled  0 late
steps   3,600 completed  0 doubled       4,800 calls      0 stray
errors  2                timeout

server     0.500 cores      0.120 ms CPU per run  120 µs CPU per event
memory     84.0 MB at most  80.0 MB at the end
disk       5.00 MB written  412 B per run         0.380 fsyncs per run
generator  0.250 cores      late by 0.200 ms (p99)  3.00 ms (max)
`
	if got := squeeze(b.String()); got != squeeze(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// squeeze makes one space of many: the widths of columns are the tabwriter's.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

func TestTextOfFlowControl(t *testing.T) {
	t.Parallel()
	r := fixed()
	r.Flow = &result.Flow{Runs: 1100, Skipped: 90, Cancelled: 10, CallsAtOnce: 12, Ahead: 1500, Broken: 2}
	var b bytes.Buffer
	if err := Text(&b, r); err != nil {
		t.Fatal(err)
	}
	const want = "flow 1,100 runs 90 skipped 10 cancelled 2 broken 12 calls at once at most 1.50 ms ahead at most\n"
	if got := squeeze(b.String()); !strings.Contains(got, want) || !strings.Contains(got, "! the flow control was broken") {
		t.Errorf("%q is missing in\n%s", want, b.String())
	}
}

func TestTextOfAnUnseenServer(t *testing.T) {
	t.Parallel()
	r := fixed()
	r.Server = result.NoUsage()
	r.Redis = &result.Redis{Commands: 3600, CommandsPerStep: 1}
	var b bytes.Buffer
	if err := Text(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"its process cannot be seen", "3,600 commands"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 0.0001: "0.0001", 0.0456: "0.046", 1: "1.00", 12.34: "12.3", 99.97: "100", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{-1: "–", 0: "0 B", 999: "999 B", 1000: "1.00 kB", 84e6: "84.0 MB", 2e15: "2,000 TB"} {
		if got := Bytes(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.25: "0.25", 2000: "2000", 25_000: "25k", 1.5e6: "1.5M"} {
		if got := short(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
