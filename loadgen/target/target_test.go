package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := open(t, serverSpec("ok", "{port}", "{dir}/sub/{port2}", "here"), Options{Log: &log})
	if s.Name != "me" || s.Version != "1.2.3-test" || s.PID == 0 || s.PID == os.Getpid() || !strings.HasPrefix(s.URL, "http://127.0.0.1:2") {
		t.Errorf("got %+v", s.Target)
	}
	if err := s.Alive(); err != nil {
		t.Error(err)
	}
	for _, pattern := range []string{"sub/2[0-9][0-9][0-9][0-9]", "here"} {
		files, _ := filepath.Glob(filepath.Join(s.Dir, pattern))
		if len(files) != 1 {
			t.Errorf("%s: %v", pattern, files)
			continue
		}
		if b, err := os.ReadFile(files[0]); string(b) != "a b" {
			t.Errorf("%s: %q, %v", pattern, b, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if s.Alive() == nil {
		t.Error("it is alive after its end")
	}
	if !strings.Contains(log.String(), "the server begins") {
		t.Errorf("the log is %q", log.String())
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestEachStartIsClean(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	command := serverSpec("ok", "{port}", "file")
	a, b := open(t, command, Options{Dir: parent, KeepDir: true}), open(t, command, Options{Dir: parent, KeepDir: true})
	if a.Dir == b.Dir || a.URL == b.URL || a.PID == b.PID || filepath.Dir(a.Dir) != parent {
		t.Errorf("got %s %s %d and %s %s %d", a.Dir, a.URL, a.PID, b.Dir, b.URL, b.PID)
	}
	_ = a.Close()
	if _, err := os.Stat(filepath.Join(a.Dir, "file")); err != nil {
		t.Errorf("the directory was to be kept: %v", err)
	}
	if err := b.Alive(); err != nil {
		t.Error(err)
	}
}

func TestEarlyEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := serverSpec("fail", "{port}").Open(t.Context(), Options{Dir: dir})
	if err == nil {
		t.Fatal("a server that ended is open")
	}
	for _, want := range []string{"target me: the server ended: exit status 3", "the server begins\nthis cannot work"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestEndInTheMiddle(t *testing.T) {
	t.Parallel()
	s := open(t, serverSpec("ok", "{port}"), Options{})
	_, _, _ = get(t.Context(), newClient(), s.URL+"/exit")
	within(t, "the end is seen", func() bool { return s.Alive() != nil })
	if err := s.Alive(); !strings.Contains(err.Error(), "exit status 4") || !strings.Contains(err.Error(), "now it ends") {
		t.Error(err)
	}
}

func TestServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := serverSpec("silent", "{port}").Open(ctx, Options{Dir: t.TempDir()})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("got %v", err)
	}
}

func TestServerThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that asks a process to end")
	}
	s := open(t, serverSpec("stubborn", "{port}"), Options{})
	if err := s.process.stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end within 50ms and was killed") {
		t.Errorf("got %v", err)
	}
	if s.Alive() == nil {
		t.Error("it is alive")
	}
}

func TestCommandErrors(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"./no-such-program {port}": "the program of the command",
		"no-such-program {port}":   "executable file not found",
	} {
		dir := t.TempDir()
		if _, err := mustParse(t, command).Open(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", command, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: %v is left", command, left)
		}
	}
	// If this fails, the port is somebody else's, which is as good.
	if ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", DefaultPort)); err == nil {
		defer func() { _ = ln.Close() }()
	}
	if _, err := mustParse(t, "server").Open(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "no {port}, and the default port 8288 is not free") {
		t.Errorf("got %v", err)
	}
	if _, err := mustParse(t, "server {port}").Open(t.Context(), Options{Dir: "/no/such"}); err == nil || !strings.Contains(err.Error(), "working directory") {
		t.Errorf("got %v", err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for path, version := range map[string]string{"/health": "", "/dev": "7", "/": ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				http.Error(w, "", http.StatusNotFound)
				return
			}
			_, _ = fmt.Fprintf(w, `{"version":%q}`, version)
		}))
		defer server.Close()
		s := open(t, mustParse(t, "web="+server.URL), Options{})
		if s.URL != server.URL || s.Version != version || s.Dir != "" {
			t.Errorf("%s: %+v", path, s)
		}
		if runtime.GOOS == "linux" && s.PID != os.Getpid() {
			t.Errorf("%s: the process is %d", path, s.PID)
		}
		if err := s.Alive(); err != nil {
			t.Error(err)
		}
		server.Close()
		if s.Alive() == nil {
			t.Errorf("%s: it is alive after its end", path)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestURLErrors(t *testing.T) {
	t.Parallel()
	sick := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/", http.StatusFound))
	defer sick.Close()
	for url, want := range map[string]string{
		sick.URL:               "GET /health: status 302",
		"http://192.0.2.1":     "not on this machine's loopback (192.0.2.1)",
		"http://[2001:db8::1]": "not on this machine's loopback",
		"http://0.0.0.0:1":     "not on this machine's loopback",
		"http://127.0.0.1:1":   "does not answer",
	} {
		if _, err := mustParse(t, url).Open(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", url, err, want)
		}
	}
	if err := requireLoopback(t.Context(), "http://localhost:1"); err != nil {
		t.Error(err)
	}
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if isFree(ln.Addr().(*net.TCPAddr).Port) == nil {
		t.Error("a port that is listened on is called free")
	}
	if port, err := freePort(); err != nil || port < 20_000 || port >= 30_000 {
		t.Errorf("got %d, %v", port, err)
	}
}
