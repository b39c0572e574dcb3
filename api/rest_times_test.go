package api

import (
	"testing"
)

// TestOldTimes: a bound before 1970 is one, and not no bound at all. Whoever sends the zero
// value of a date cancels nothing, rather than everything.
func TestOldTimes(t *testing.T) {
	t.Parallel()
	h, o := &fakeHistory{}, &fakeOperator{}
	s := restServer(t, h, o)
	for _, old := range []string{"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-02T00:00:00Z"} {
		bulkCall(t, s, "POST", "/v1/cancellations", `{"app_id":"app","function_id":"app-f","started_before":"`+old+`"}`)
		if b := o.bulks[len(o.bulks)-1]; b.Before != 1 || b.After != 0 {
			t.Errorf("cancels before %s: %+v", old, b)
		}
		body := `{"app_id":"app","function_id":"app-f","from":"0001-01-01T00:00:01Z","until":"` + old + `"}`
		if bulkCall(t, s, "POST", "/v1/replays", body); h.query.Until != 1 {
			t.Errorf("replays until %s: %+v", old, h.query)
		}
		if expectStatus(t, sdkCall(s, "GET", "/v1/events?received_before="+old, "").StatusCode(), 200); h.events1.Until != 1 {
			t.Errorf("events before %s: %+v", old, h.events1)
		}
		if expectStatus(t, sdkCall(s, "GET", "/v2/runs?until="+old, "").StatusCode(), 200); h.query.Until != 1 {
			t.Errorf("runs until %s: %+v", old, h.query)
		}
	}
}
