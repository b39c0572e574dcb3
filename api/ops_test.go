package api

import "testing"

// TestTelemetry: whatever a web UI tells about its use is taken, from those who may.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{", `{"eventName":"x","a":1}`} {
		r := call(NewServer(Options{Catalog: testCatalog(t)}), "POST", "/v0/telemetry", body)
		expect(t, r, 200, "")
	}
	s := NewServer(Options{Catalog: testCatalog(t), Mode: ModeStart, SigningKey: "aa11"})
	expectStatus(t, call(s, "POST", "/v0/telemetry", "{}").StatusCode(), 401)
}
