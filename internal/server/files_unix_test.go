//go:build unix

package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serveVariable makes the test binary a server, which may open as many files as it says.
const serveVariable = "INGOT_TEST_FILES"

func init() {
	if limit := os.Getenv(serveVariable); limit != "" {
		os.Exit(serveFiles(limit))
	}
}

// serveFiles is what such a server does: it serves until its input ends.
func serveFiles(limit string) int {
	var n uint64
	_, err := fmt.Sscan(limit, &n)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n})
	}
	if err == nil {
		cfg := testConfig("")
		cfg.Ephemeral, cfg.Workers = true, 1000
		var s *Server
		if s, err = Start(context.Background(), cfg); err == nil {
			fmt.Println(s.Addr())
			_, _ = io.Copy(io.Discard, os.Stdin)
			err = s.Close(context.Background())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Clients that open more connections than the process may open files get 503, and the
// server goes on: it takes events on what is open, and ends orderly.
func TestManyConnectionsLeaveFilesToStorage(t *testing.T) {
	const limit = 512
	if l := maxFiles(); l < 2*limit {
		t.Fatalf("this test needs %d open files, %d are allowed: raise it with ulimit -n", 2*limit, l)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", serveVariable, limit))
	var errors strings.Builder
	cmd.Stderr = &errors
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server does not start: %v %s", err, &errors)
	}
	addr := strings.TrimSpace(line)
	dial := func() net.Conn {
		c, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	post := func(c net.Conn) (status int) {
		body := `{"name":"a/b","data":{}}`
		if _, err := fmt.Fprintf(c, "POST /e/key HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ IDs []string }
		if err := json.NewDecoder(res.Body).Decode(&answer); err == nil && len(answer.IDs) == 1 {
			return res.StatusCode
		}
		return -res.StatusCode
	}
	first := dial()
	if status := post(first); status != 200 {
		t.Fatalf("an event: %d", status)
	}
	last := first
	for range limit + 100 {
		last = dial()
	}
	if res, err := http.ReadResponse(bufio.NewReader(last), nil); err != nil {
		t.Errorf("a connection too many is not refused: %v", err)
	} else if res.Body.Close(); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a connection too many is answered with %d", res.StatusCode)
	}
	for range 5 {
		if status := post(first); status != 200 {
			t.Fatalf("an event while there are too many connections: %d", status)
		}
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ends with %v\n%s", err, &errors)
	}
}

func TestShareFiles(t *testing.T) {
	for _, limit := range []uint64{256, 512, 1024, 4096, 20_000, 65_536, 1 << 20, 1 << 63} {
		f := shareFiles(limit, 1000)
		if sum := uint64(ownFiles + f.store + f.workers + f.idle + f.connections); limit > 512 && sum > limit {
			t.Errorf("%d of %d files are given away: %+v", sum, limit, f)
		}
		if f.store < 64 || f.workers < 16 || f.idle < 16 || f.connections < 16 {
			t.Errorf("of %d files somebody gets too few: %+v", limit, f)
		}
	}
	if f := shareFiles(1<<20, 1000); f != shareFiles(0, 1000) || f.workers != 1000 {
		t.Errorf("a million files are not enough: %+v", f)
	}
}
