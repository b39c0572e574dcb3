package e2e

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ingot/internal/e2e/rawapp"
)

// refusals are what the server says of the functions of illegal.mjs.
var refusals = []string{
	"Batching and cancellation are mutually exclusive",
	"Batching and debouncing are mutually exclusive",
	"Batching and singletons are mutually exclusive",
	"A function cannot specify Priority.Run and Batch together",
	"batch size cannot be smaller than 2: 1",
	"batch timeout should be more than 1s",
	"batch key expression is invalid: ",
	"conditional batch expression is invalid ",
	"The debounce period of '100ms' is less than the min of: 1s",
	"The debounce period of '8d' is greater than the max of: 168h0m0s",
	"Debounce expression is invalid: ",
	"limit must be greater than 0",
	"period must be less than 24h0m0s",
	"key is invalid: ",
	"There are more concurrency limits specified than the allowed max of: 2",
	"A concurrency key must be specified for Env scoped limits",
	"A concurrency key must be specified for Account scoped limits",
	"Invalid concurrency key 'event.data.': ",
	"Only one function concurrency limit is allowed",
	"function concurrency limit must be > 0",
	"Priority.Run expression is invalid: ",
}

// TestFlowIllegal registers functions whose flow control is invalid: the sync
// fails, and the server's log names each broken rule.
func TestFlowIllegal(t *testing.T) {
	t.Parallel()
	needNode(t)
	for _, sdk := range []string{"3", "4"} {
		t.Run("v"+sdk, func(t *testing.T) {
			t.Parallel()
			port, err := rawapp.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			p, err := rawapp.StartProcess(serverBinary(t), port, "--ephemeral", "--log-level", "warn")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			app := startNode(t, p.URL, "--sdk", sdk, "--illegal")
			if status, body := app.trySync(t); status != http.StatusBadRequest || !strings.Contains(body, "At least one function is invalid") {
				t.Errorf("sync: status %d: %s", status, body)
			}
			if err := p.Stop(); err != nil { // then its log is complete
				t.Errorf("SIGTERM: %v", err)
			}
			log := p.Log()
			for _, text := range slices.Concat(refusals, []string{strconv.Itoa(len(refusals)) + " errors occurred"}) {
				if !strings.Contains(log, text) {
					t.Errorf("the log does not say %q", text)
				}
			}
			if t.Failed() {
				t.Log(log)
			}
		})
	}
}
