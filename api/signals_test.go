package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ingot/engine"

	"github.com/oklog/ulid/v2"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	waiting := map[string]ulid.ULID{"s": ulid.MustParse(testRun)}
	for name, c := range map[string]struct {
		body   string
		err    error
		status int
		want   string // of the error
		engine string // what reaches the engine
	}{
		"somebody waits":  {`{"signal":"s","data":{"b":1, "a":2.0}}`, nil, 200, "", `s={"a":2,"b":1}`},
		"without data":    {`{"signal":"s"}`, nil, 200, "", `s=null`},
		"nobody waits":    {`{"signal":"t","data":1}`, nil, 404, "No signal found", `t=1`},
		"no name":         {`{"data":1}`, nil, 500, "Failed to receive signal", ""},
		"not JSON":        {`{`, nil, 400, "Invalid signal data", ""},
		"name of a type":  {`{"signal":1}`, nil, 400, "Invalid signal data", ""},
		"number of space": {`{"signal":"s","data":1e999}`, nil, 400, "Invalid signal data", ""},
		"too large":       {`{"signal":"s","data":"` + strings.Repeat("x", maxSignalBody) + `"}`, nil, 413, "Signal exceeds 4194304 bytes", ""},
		"busy":            {`{"signal":"s"}`, engine.ErrBusy, 503, "Failed to receive signal: try again", "s=null"},
		"fault":           {`{"signal":"s"}`, errors.New("boom"), 500, "Failed to receive signal", "s=null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{err: c.err, signalRun: waiting}
			r := sdkCall(sdkServer(t, e), "POST", "/v1/signals", c.body)
			var got struct {
				Error string
				Data  runData
			}
			if err := json.Unmarshal(r.Body(), &got); err != nil {
				t.Fatal(err)
			}
			if r.StatusCode() != c.status || got.Error != c.want {
				t.Fatalf("answer %d %s", r.StatusCode(), r.Body())
			}
			if c.status == 200 && got.Data.RunID != testRun {
				t.Errorf("run %q", got.Data.RunID)
			}
			if reached := strings.Join(e.signals, " "); reached != c.engine {
				t.Errorf("the engine got %q, want %q", reached, c.engine)
			}
		})
	}
}
