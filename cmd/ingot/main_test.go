package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buffer is written to by the server and read by the test at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args        string
		code        int
		out, errOut string // must be contained; all of it where the code is not 0
	}{
		{"", 0, "COMMANDS:", ""},
		{"help", 0, "COMMANDS:", ""},
		{"help dev", 0, "--data-dir", ""},
		{"help start", 0, "--signing-key-fallback", ""},
		{"version", 0, "dev-\n", ""},
		{"--version", 0, "ingot version dev-\n", ""},
		{"-v", 0, "ingot version dev-\n", ""},
		{"nonsense", 3, "", "No help topic for 'nonsense'\n"},
		{"dev --nope", 1, "flag provided but not defined: -nope\n", "Incorrect Usage: flag provided but not defined: -nope\n\n"},
		{"dev -port abc", 1, "invalid value \"abc\" for flag -port: strconv.ParseInt: parsing \"abc\": invalid syntax\n",
			"Incorrect Usage: invalid value \"abc\" for flag -port: strconv.ParseInt: parsing \"abc\": invalid syntax\n\n"},
		{"dev --queue-workers -5", 1, "queue-workers (-5) must be at least 1\n", ""},
		{"dev --port 99999", 1, "could not find open port for dev server api: invalid port 99999\n", ""},
		{"dev --port 70000 --sync never", 1, "could not find open port for dev server api: invalid port 70000\nsync must be \"always\" or \"interval\", not \"never\"\n", ""},
		{"dev --port 0 --ephemeral --admin-addr 0.0.0.0:0", 1, "admin-addr \"0.0.0.0:0\" is not a loopback address: profiles show what is in memory, and the admin port has no authentication; use 127.0.0.1:PORT\n", ""},
		{"dev --config /does/not/exist.json", 1, "error reading config file /does/not/exist.json: error parsing config file: open /does/not/exist.json: no such file or directory\n", ""},
	} {
		t.Run(tc.args, func(t *testing.T) {
			var out, errOut buffer
			code := run(context.Background(), append([]string{"ingot"}, strings.Fields(tc.args)...), streams{out: &out, err: &errOut})
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			matches := strings.Contains
			if tc.code != 0 {
				matches = func(got, want string) bool { return got == want }
			}
			if !matches(out.String(), tc.out) {
				t.Errorf("stdout %q, want %q", out.String(), tc.out)
			}
			if !matches(errOut.String(), tc.errOut) {
				t.Errorf("stderr %q, want %q", errOut.String(), tc.errOut)
			}
		})
	}
}

// startDev runs `ingot dev` in this process and returns when it serves.
func startDev(t *testing.T, terminal bool, args ...string) (out, errOut *buffer, stop func() int) {
	t.Helper()
	return startServer(t, terminal, "dev", append([]string{"--no-discovery"}, args...)...)
}

// startServer runs a server in this process and returns when it serves.
func startServer(t *testing.T, terminal bool, mode string, args ...string) (out, errOut *buffer, stop func() int) {
	t.Helper()
	out, errOut = new(buffer), new(buffer)
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"ingot", mode, "--host", "127.0.0.1"}, args...),
			streams{out: out, err: errOut, outTerminal: terminal})
	}()
	for !strings.Contains(errOut.String(), "starting server") || terminal && !strings.Contains(out.String(), "Send an event") {
		select {
		case c := <-code:
			t.Fatalf("ended with %d\n%s\n%s", c, out, errOut)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return out, errOut, func() int {
		cancel()
		return <-code
	}
}

// addr finds where the server listens, in its JSON log.
func addr(t *testing.T, log string) string {
	t.Helper()
	for line := range strings.Lines(log) {
		var l struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "starting server" {
			return l.Addr
		}
	}
	t.Fatalf("no address in %s", log)
	return ""
}

func TestDevServesAndStops(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	out, errOut, stop := startDev(t, false, "--port", "0", "--data-dir", dir, "--persist", "--tick", "10", "--debug-api-port", "1")
	res, err := http.Get("http://" + addr(t, errOut.String()) + "/health")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Inngest-Server-Kind") != "dev" {
		t.Errorf("health: %d, kind %q", res.StatusCode, res.Header.Get("X-Inngest-Server-Kind"))
	}

	var lockedOut, lockedErr buffer
	if code := run(context.Background(), []string{"ingot", "dev", "--port", "0", "--data-dir", dir, "--no-discovery"},
		streams{out: &lockedOut, err: &lockedErr}); code != 1 || !strings.Contains(lockedOut.String(), dir) {
		t.Errorf("a second server on the same directory: exit code %d, %q", code, lockedOut.String())
	}

	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out.String() != "" {
		t.Errorf("without a terminal there is no banner, got %q", out)
	}
	if log := errOut.String(); !strings.Contains(log, `"setting":"debug-api-port"`) || strings.Contains(log, `"setting":"tick"`) {
		t.Errorf("warnings about settings without effect: %s", log)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the data is gone: %v", err)
	}
}

func TestDevBanner(t *testing.T) {
	t.Setenv("INNGEST_EPHEMERAL", "true")
	out, _, stop := startDev(t, true, "--port", "0", "-u", "localhost:1/api/inngest", "--no-poll")
	text := out.String()
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"Ingot dev server online at 127.0.0.1:", "removed at the end", "http://localhost:1/api/inngest", "INNGEST_DEV=http://localhost:", "curl http://localhost:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the banner lacks %q:\n%s", want, text)
		}
	}
}

func TestDevReadsConfigFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("inngest.yaml", []byte("port: 0\nno-poll: true\ndata-dir: here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errOut, stop := startDev(t, false)
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(errOut.String(), "using config") {
		t.Errorf("log: %s", errOut)
	}
	if _, err := os.Stat(filepath.Join(dir, "here")); err != nil {
		t.Error(err)
	}
}

func TestVisibleURLs(t *testing.T) {
	t.Parallel()
	if got := visibleURLs("127.0.0.1", "1"); len(got) != 1 || got[0] != "http://127.0.0.1:1" {
		t.Errorf("one host: %q", got)
	}
	all := strings.Join(visibleURLs("", "8288"), "\n")
	if !strings.Contains(all, "http://127.0.0.1:8288 (http://localhost:8288)") {
		t.Errorf("all interfaces: %q", all)
	}
}

func TestDevMovesToTheNextPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_, errOut, stop := startDev(t, false, "--port", port, "--ephemeral")
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(errOut.String(), "Port conflict, using new port") {
		t.Errorf("log: %s", errOut)
	}
}
