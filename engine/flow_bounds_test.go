package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

// Flow control at its bounds: clocks that jump, rules that change, extreme numbers
// and keys.

// TestThrottleAfterClockIsSetBack checks that a throttle goes on within its own time,
// and not when the clock has caught up.
func TestThrottleAfterClockIsSetBack(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{time.Millisecond, time.Minute, 24 * time.Hour} {
		d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"throttle":{"limit":2,"period":"20s"}`)
		for range 5 {
			d.send("e", `{}`)
		}
		d.wantCalls("f", 2)
		d.now -= back.Milliseconds()
		d.send("e", `{}`)
		for n := range 4 {
			d.pass(11 * time.Second)
			if got := len(d.of("f")); got < 2+n {
				t.Fatalf("set back by %s: %d calls %d s later", back, got, 11*(n+1))
			}
		}
		d.pass(time.Minute)
		d.wantCalls("f", 6)
		d.wantClean()
	}
}

// TestRateLimitAfterClockIsSetBack is the same for a rate limit: events are let
// through again within two periods.
func TestRateLimitAfterClockIsSetBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"event":"e"}],"rateLimit":{"limit":1,"period":"1h"}`)
	d.send("e", `{}`)
	d.send("e", `{}`)
	d.wantCalls("f", 1)
	d.now -= (10 * time.Hour).Milliseconds()
	d.send("e", `{}`)
	d.pass(2 * time.Hour)
	d.send("e", `{}`)
	if n := len(d.of("f")); n < 2 {
		t.Errorf("no event is let through 2 h after the clock was set back")
	}
}

// TestRatesFollowTheConfiguration checks that a shorter period holds at once, for what
// waits and for what comes.
func TestRatesFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	before := []string{`a "triggers":[{"event":"a"}],"throttle":{"limit":1,"period":"24h"}`, `b "triggers":[{"event":"b"}],"rateLimit":{"limit":1,"period":"23h"}`}
	after := []string{`a "triggers":[{"event":"a"}],"throttle":{"limit":1,"period":"1m"}`, `b "triggers":[{"event":"b"}],"rateLimit":{"limit":1,"period":"1m"}`}
	d := newDesk(t, script(), before...)
	for range 3 {
		d.send("a", `{}`)
		d.send("b", `{}`)
	}
	d.wantCalls("a", 1)
	d.wantCalls("b", 1)
	d.configure(after...)
	d.pass(2 * time.Minute)
	if n := len(d.of("a")); n < 2 {
		t.Errorf("%d starts, 2 min after the throttle became 1 per minute", n)
	}
	d.send("b", `{}`)
	d.pass(2 * time.Minute)
	d.send("b", `{}`)
	if n := len(d.of("b")); n < 2 {
		t.Errorf("%d runs, 4 min after the rate limit became 1 per minute", n)
	}
}

// configure changes functions and lets the engine know.
func (d *desk) configure(fns ...string) {
	d.t.Helper()
	d.define(fns...)
	d.node.Configure(d.cat.Snapshot())
	d.work()
}

// TestExtremeLimits checks numbers that registration accepts: none overflows into a
// limit that was not meant.
func TestExtremeLimits(t *testing.T) {
	t.Parallel()
	for _, config := range []string{
		`"throttle":{"limit":9223372036854775808,"period":"1s"}`,
		`"throttle":{"limit":1,"burst":9223372036854775808,"period":"7d"}`,
		`"throttle":{"limit":9223372036854775808,"burst":9223372036854775808,"period":"8760h"}`,
		`"rateLimit":{"limit":9223372036854775808,"period":"24h"}`,
		`"rateLimit":{"limit":1000,"period":"1ns"}`,
		`"concurrency":{"step":[{"limit":0}]}`,
		`"concurrency":{"step":[{"limit":-1},{"limit":0,"key":"event.data.k"}]}`,
		`"concurrency":{"step":[{"limit":9223372036854775807}]}`,
		`"concurrency":{"step":[{"limit":9223372036854775807,"scope":"env","key":"event.data.k"}]}`,
		`"concurrency":{"fn":[{"limit":9223372036854775807}]}`,
		`"batchEvents":{"maxSize":9223372036854775807,"timeout":"1s"}`,
		`"debounce":{"period":"1s","timeout":"100000h"}`,
		`"priority":{"run":"9223372036854775807"}`,
		`"priority":{"run":"-9223372036854775807 - 1"}`,
	} {
		d := newDesk(t, script(), `f "triggers":[{"event":"e"}],`+config)
		for range 20 {
			d.send("e", `{"k":1}`)
		}
		d.pass(2 * time.Second)
		want := 20
		if strings.Contains(config, "batch") || strings.Contains(config, "debounce") {
			want = 1
		}
		if n := len(d.of("f")); n != want {
			t.Errorf("%s: %d calls, want %d", config, n, want)
		}
		d.wantClean()
	}
}

// TestLongAndOddKeys checks that keys of any length and kind are told apart.
func TestLongAndOddKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10<<10)
	values := []string{`"` + long + `a"`, `"` + long + `b"`, `""`, `null`, `0`, `1e300`, `[1,2]`, `[1,3]`, `{"a":1}`, `{"a":2}`, `"\u0000"`, `"é"`, `"{\"a\":1}x"`, `true`}
	for _, config := range []string{
		`"throttle":{"limit":1,"period":"1h","key":"event.data.k"}`,
		`"rateLimit":{"limit":1,"period":"1h","key":"event.data.k"}`,
		`"concurrency":{"step":[{"limit":1,"key":"event.data.k"}]}`,
		`"concurrency":{"step":[{"limit":1,"key":"event.data.k","scope":"account"}]}`,
		`"concurrency":{"fn":[{"limit":1,"key":"event.data.k"}]}`,
		`"singleton":{"mode":"skip","key":"event.data.k"}`,
		`"debounce":{"period":"1s","key":"event.data.k"}`,
		`"batchEvents":{"maxSize":100,"timeout":"1s","key":"event.data.k"}`,
	} {
		d := newDesk(t, func(*engine.Call) engine.Result { return engine.Result{Status: -1} }, `f "triggers":[{"event":"e"}],`+config)
		for range 2 {
			for _, v := range values {
				d.send("e", fmt.Sprintf(`{"k":%s}`, v))
			}
		}
		d.pass(time.Second)
		if n := len(d.of("f")); n != len(values) {
			t.Errorf("%s: %d calls, want one per key: %d", config, n, len(values))
		}
	}
}
