package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestOutage: what a server has is there again after it was stopped, at the same place.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := New(t)
	exec := func(sql string) error {
		conn, err := pgx.Connect(context.Background(), s.URI)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), sql)
		return err
	}
	if err := exec("CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := exec("SELECT 1"); err == nil {
		t.Error("a stopped server answers")
	}
	s.Stop() // again
	s.Start()
	if err := exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Error(err)
	}
}
