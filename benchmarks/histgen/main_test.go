package main

import (
	"path/filepath"
	"testing"

	"ingot/storage/history"
)

// TestRun fills a small database and asks every kind of query; what was made is there.
func TestRun(t *testing.T) {
	t.Parallel()
	cfg := history.Config{Path: filepath.Join(t.TempDir(), "history.db")}
	if err := run(t.Context(), cfg, newGenerator(1, 20, 2, 2000), 2); err != nil {
		t.Fatal(err)
	}
	db, err := history.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := db.CountRuns(t.Context(), &history.RunQuery{}); err != nil || n != 2000 {
		t.Errorf("%d runs, %v", n, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
