package wire

import (
	"testing"
	"time"

	"ingot/internal/jcs"
)

// FuzzClassify looks at whole answers: whatever an app sends, there is a result
// of one of the defined kinds, in canonical JSON.
func FuzzClassify(f *testing.F) {
	for _, r := range loadRecorded(f) {
		resp := r.response(f)
		f.Add(resp.Status, string(resp.SDK), string(resp.NoRetry), string(resp.RetryAfter), resp.Body, false)
	}
	for _, s := range loadOps(f) {
		f.Add(206, "inngest-js:v4.24.0", "", "", []byte(s), true)
		f.Add(201, "inngest-js:v2.1.0", "false", "2026-01-01", []byte(`{"status":206,"headers":{"retry-after":"3"},"body":`+s+`}`), false)
	}
	f.Fuzz(func(t *testing.T, status int, sdk, noRetry, retryAfter string, body []byte, sync bool) {
		classify := Classify
		if sync {
			classify = ClassifySync
		}
		now := time.Now()
		res := classify(&Response{Status: status, SDK: []byte(sdk), NoRetry: []byte(noRetry), RetryAfter: []byte(retryAfter), Body: body}, now)
		if res.Ops != nil && (res.Error != "" || res.Output != nil) {
			t.Fatalf("operations together with %q %s", res.Error, res.Output)
		}
		if res.Output != nil && !jcs.Canonical(res.Output) {
			t.Fatalf("output is not canonical: %q", res.Output)
		}
		if res.RetryAt != 0 && (res.RetryAt < now.UnixMilli() || res.RetryAt > now.Add(maxRetryAfter).UnixMilli()) {
			t.Fatalf("retry at %d, now %d", res.RetryAt, now.UnixMilli())
		}
		if res.Error == "" && res.Ops == nil && (res.Status < 200 || res.Status > 299) {
			t.Fatalf("status %d without an error", res.Status)
		}
	})
}
