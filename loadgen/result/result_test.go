package result

import (
	"strings"
	"testing"
	"time"
)

func TestResultSurvivesJSON(t *testing.T) {
	t.Parallel()
	h := NewHistogram()
	for i := int64(1); i <= 10_000; i++ {
		if err := h.RecordValue(i); err != nil {
			t.Fatal(err)
		}
	}
	in := &Result{Schema: Schema, Started: time.Unix(1, 0).UTC(), Latency: map[string]*Histogram{Request: h, Step: NewHistogram()},
		Counts: Counts{Accepted: 7, Lost: 1}, Server: NoUsage()}
	b, err := in.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !out.Latency[Request].Equals(h.Histogram) {
		t.Error("the histogram has changed")
	}
	if q := out.Latency[Request].Quantile(99); q < 9_890 || q > 9_910 {
		t.Errorf("p99 is %d", q)
	}
	if out.Latency[Step].TotalCount() != 0 || out.Counts != in.Counts || out.Server != in.Server || !out.Started.Equal(in.Started) {
		t.Errorf("got %+v", out)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:             "reading a result",
		`{"schema":99}`: "schema is 99",
		`{}`:            "schema is 0",
		`{"schema":1,"latency":{"x":{"hdr":""}}}`: "histogram",
	} {
		if _, err := Unmarshal([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
