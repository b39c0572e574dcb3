package target

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// What a server starts ends with it, also if it has ended by itself and its child
// does not listen to signals.
func TestChildrenEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *Target){
		"closed":  func(s *Target) { _ = s.Close() },
		"crashed": func(s *Target) { _ = syscall.Kill(s.PID, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, serverSpec("parent", "{port}"), Options{})
			b, err := os.ReadFile(filepath.Join(s.Dir, "child"))
			if err != nil {
				t.Fatal(err)
			}
			child, err := strconv.Atoi(string(b))
			if err != nil || syscall.Kill(child, 0) != nil {
				t.Fatalf("the child %q is not there: %v", b, err)
			}
			end(s)
			within(t, "the child has ended", func() bool { return hasEnded(child) })
		})
	}
}

// hasEnded is also true for a process that nobody has waited for.
func hasEnded(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err != nil || bytes.Contains(b, []byte("State:\tZ"))
}
