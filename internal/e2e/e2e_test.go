// Package e2e tests the whole server from outside: with the real TypeScript
// SDKs, and by killing its process under load. rawapp is an app without an SDK,
// figures measures.
//
// What does not live here: tests of one package's behaviour.
package e2e

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
)

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ingot-e2e-")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	bin, err := rawapp.Build(ctx, dir)
	builtDir = dir
	return bin, err
})

var builtDir string

// serverBinary builds the server once for all tests.
func serverBinary(t *testing.T) string {
	t.Helper()
	bin, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtDir != "" {
		_ = os.RemoveAll(builtDir)
	}
	os.Exit(code)
}
