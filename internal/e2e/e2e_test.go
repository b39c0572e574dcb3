// Package e2e tests the whole server from outside: with the real TypeScript
// SDKs, flow control included, and by killing its process. rawapp is an app
// without an SDK, figures measures.
//
// What does not live here: tests of one package's behaviour.
package e2e

import (
	"context"
	"flag"
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

// atOnce is how many tests run at once, unless -parallel says it: they wait most of
// the time, so the number of processors is not what bounds them.
const atOnce = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", atOnce)
	}
	code := m.Run()
	if builtDir != "" {
		_ = os.RemoveAll(builtDir)
	}
	os.Exit(code)
}
