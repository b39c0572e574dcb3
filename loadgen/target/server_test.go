package target

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// behaviour makes the test binary a server: its words say how it behaves. Its
// arguments are its port and files that it writes.
const behaviour = "TARGET_TEST_SERVER"

func TestMain(m *testing.M) {
	if words := os.Getenv(behaviour); words != "" {
		os.Exit(serve(strings.Fields(words), os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// serverSpec starts such a server.
func serverSpec(words string, args ...string) Spec {
	return Spec{Name: "me", Command: fmt.Sprintf(`%s="%s" EXTRA='a b' '%s' %s`, behaviour, words, os.Args[0], strings.Join(args, " "))}
}

func serve(words, args []string) int {
	fmt.Println("the server begins")
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":200}`)) })
	mux.HandleFunc("/dev", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"version":"1.2.3-test"}`)) })
	for _, word := range words {
		switch word {
		case "fail":
			fmt.Fprintln(os.Stderr, "this cannot work")
			return 3
		case "silent":
			time.Sleep(time.Hour)
		case "stubborn":
			signal.Ignore(syscall.SIGTERM)
		case "parent":
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), behaviour+"=stubborn silent")
			child.Stdout = os.Stdout // a pipe that stays open
			if err := child.Start(); err != nil {
				fmt.Println(err)
				return 1
			}
			write("child", strconv.Itoa(child.Process.Pid))
		}
	}
	for _, arg := range args[1:] {
		write(arg, os.Getenv("EXTRA"))
	}
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { fmt.Println("now it ends"); os.Exit(4) })
	fmt.Println(http.ListenAndServe("127.0.0.1:"+args[0], mux))
	return 1
}

func write(file, text string) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		fmt.Println(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fmt.Println(err)
	}
}

func mustParse(t *testing.T, text string) Spec {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, s Spec, o Options) *Target {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	target, err := s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// within waits for something that has to become true.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
