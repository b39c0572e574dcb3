package inngestdb

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot/storage/history"
)

var write = flag.Bool("write", false, "write the expected records anew")

// expect compares with a file of testdata.
func expect(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *write {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// story is everything that history has.
func (w *world) story() string {
	w.t.Helper()
	var b strings.Builder
	for _, id := range w.runs() {
		b.WriteString(w.lines(id) + "\n\n")
	}
	events, err := w.dst.Events(w.t.Context(), &history.EventQuery{Internal: true, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range events {
		e := &events[i]
		fmt.Fprintf(&b, "event %s %s external=%q ts=%+d data=%s user=%s v=%s\n",
			e.ID, e.Name, e.ExternalID, e.TS-e.ReceivedAt, e.Data, e.User, e.V)
	}
	return b.String()
}

// TestRecorded imports what the reference server wrote in all states.
func TestRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		dumps := recordedRows(t).Dumps
		for state := range dumps {
			w.load(state)
		}
		w.importAll()
		expect(t, "recorded", w.story())
		if text := w.logs.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
			t.Error(text)
		}
		runs := 0
		for _, dump := range dumps {
			runs += len(dump["function_runs"])
		}
		if n := len(w.runs()); n != runs {
			t.Errorf("%d runs of %d", n, runs)
		}
	})
}
