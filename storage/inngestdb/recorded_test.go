package inngestdb

import (
	"fmt"
	"strings"
	"testing"

	"ingot/storage/history"
)

// TestRecorded imports what the reference server wrote in each state.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for state := range recordedRows(t).Dumps {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				w.load(state)
				w.importAll()
				var b strings.Builder
				for _, id := range w.runs() {
					b.WriteString(w.lines(id) + "\n")
				}
				events, err := w.dst.Events(t.Context(), &history.EventQuery{Internal: true, Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				for i := range events {
					e := &events[i]
					fmt.Fprintf(&b, "event %s external=%q data=%.20s user=%s\n", e.Name, e.ExternalID, e.Data, e.User)
				}
				t.Log("\n" + b.String())
			})
		})
	}
}
