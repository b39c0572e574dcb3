package engine

import (
	"reflect"
	"testing"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// sampleLifecycle has a value in every field.
func sampleLifecycle() *Lifecycle {
	return &Lifecycle{
		Kind: CallEnded, Flags: FlagOutput, At: 1_700_000_000_001, Run: ulid.ULID{1, 2}, Fn: ids.UUID{3}, Job: 4, Attempt: 5,
		Op: OpSleep, Step: "step", Name: "name", Target: "target", Expr: "expr", Started: -6, Duration: 7, Due: 8,
		Child: ulid.ULID{9}, Events: []ulid.ULID{{10}, {11}}, Status: 206, Size: 12, Count: 13,
		Header: []byte("A: b\r\n"), Payload: []byte(`{"data":1}`), Input: []byte(`{}`), Meta: []byte(`[]`),
	}
}

// TestLifecycleRoundTrip checks that each field survives by itself and with all others.
func TestLifecycleRoundTrip(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(*sampleLifecycle())
	var want []Lifecycle
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Fatalf("the sample has no %s", full.Type().Field(i).Name)
		}
		var one Lifecycle
		reflect.ValueOf(&one).Elem().Field(i).Set(full.Field(i))
		want = append(want, one)
	}
	want = append(want, *sampleLifecycle(), *sampleLifecycle())
	o := outbox{enabled: true}
	for i := range want {
		o.add(&want[i])
	}
	var got []Lifecycle
	if err := DecodeLifecycle(o.enc.b, func(l *Lifecycle) error { got = append(got, *l); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d records of %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got %+v\nwant %+v", got[i], want[i])
		}
	}
	for n := 1; n < len(o.enc.b); n++ { // cut anywhere, it is refused or ends at a record
		_ = DecodeLifecycle(o.enc.b[:n], func(*Lifecycle) error { return nil })
	}
}

// TestRunRecordsRoundTrip checks the form that leaves the run out.
func TestRunRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	want := sampleLifecycle()
	b := AppendLifecycle(nil, want)
	b = AppendLifecycle(b, want)
	n := 0
	err := DecodeRun(b, want.Run, want.Fn, func(l *Lifecycle) error {
		n++
		if !reflect.DeepEqual(l, want) {
			t.Errorf("got %+v", l)
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}
