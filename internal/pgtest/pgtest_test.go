package pgtest

import "testing"

// TestOutage: what a server has is there again after it was stopped, at the same place.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := New(t)
	if err := s.exec("CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := s.exec("SELECT 1"); err == nil {
		t.Error("a stopped server answers")
	}
	s.Stop() // again
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.Crash()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Error(err)
	}
}

// TestShared: each test has a database of its own.
func TestShared(t *testing.T) {
	t.Parallel()
	a, b := Server{URI: Start(t)}, Server{URI: Start(t)}
	for _, s := range []Server{a, b} {
		if err := s.exec("CREATE TABLE t (n int)"); err != nil {
			t.Error(err)
		}
	}
}
