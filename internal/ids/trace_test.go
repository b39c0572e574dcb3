package ids

import (
	"encoding/hex"
	"testing"

	"github.com/oklog/ulid/v2"
)

// TestRunTrace checks the values that the reference made (spec 02 §10.2).
func TestRunTrace(t *testing.T) {
	t.Parallel()
	trace, span := RunTrace(ulid.MustParse("01M80C330EG4JADTP9PPG2Y52Z"))
	if got := hex.EncodeToString(trace[:]); got != "061da732244c4e0448e5b7b5d4e7a1ae" {
		t.Errorf("trace %s", got)
	}
	if got := hex.EncodeToString(span[:]); got != "c68c2918747378ed" {
		t.Errorf("span %s", got)
	}
	_, span = seeded([]byte("sleep-step:ad782ecdac770fc6eb9a62e44f90873fb97fb26b"))
	if got := hex.EncodeToString(span[:]); got != "fbc5135e2d72719e" {
		t.Errorf("span of a sleep %s", got)
	}
}

func TestDistributedTrace(t *testing.T) {
	t.Parallel()
	a, b := ulid.MustParse("01M80C330EG4JADTP9PPG2Y52Z"), ulid.MustParse("01M80C330EG4JADTP9PPG2Y530")
	if again := DistributedTrace(a); again != DistributedTrace(a) || again == DistributedTrace(b) {
		t.Error("a trace is not the function of its root")
	}
	if SpanOf(a, "x") == SpanOf(a, "y") || SpanOf(a, "x") == SpanOf(b, "x") {
		t.Error("spans of different things are equal")
	}
	text := string(AppendTraceparent(nil, TraceID{1}, SpanID{2}, true))
	if text != "00-01000000000000000000000000000000-0200000000000000-01" {
		t.Error(text)
	}
	if got := AppendTraceparent(nil, TraceID{}, SpanID{}, false); string(got[len(got)-3:]) != "-00" {
		t.Errorf("%s", got)
	}
}
