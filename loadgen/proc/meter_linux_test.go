package proc

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The CPU of a process, of a child that lives and of one that has ended all count.
func TestCPU(t *testing.T) {
	t.Parallel()
	h, m := measured(t)
	last := take(t, m).CPU
	for _, what := range []string{"burn 150ms", "child burn 150ms", "reap burn 150ms"} {
		h.must(t, what)
		now := take(t, m).CPU
		// A child's start comes on top of what it burns.
		if used := now - last; used < 100*time.Millisecond || used > 10*time.Second {
			t.Errorf("%s: %s were measured", what, used)
		}
		last = now
	}
}

func TestRSS(t *testing.T) {
	t.Parallel()
	const size, text = 64 << 20, "67108864"
	h, m := measured(t)
	before := take(t, m).RSS
	h.must(t, "hold", text)
	h.must(t, "child", "hold", text)
	if grown := take(t, m).RSS - before; grown < 2*size*95/100 || grown > 10*size {
		t.Errorf("the resident memory has grown by %d bytes for two times %d", grown, size)
	}
}

func TestWrittenAndFsyncs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	h, m := measured(t)
	before := take(t, m)
	if before.Fsyncs > 0 {
		t.Errorf("%d fsyncs before the first", before.Fsyncs)
	}
	h.must(t, "sync", file, "5")
	h.must(t, "child", "sync", file, "3")
	h.must(t, "reap", "sync", file, "2")
	got := take(t, m)

	t.Run("written", func(t *testing.T) {
		if before.Written == Unknown {
			t.Skip("the kernel does not count the bytes that a process writes (/proc/PID/io)")
		}
		if onMemory(t, filepath.Dir(file)) {
			t.Skip("temporary files are in memory here: nothing is written to a disk")
		}
		if n := got.Written - before.Written; n < 10*4<<10 || n > 1<<20 {
			t.Errorf("%d bytes were written; ten times 4096 were", n)
		}
	})
	t.Run("fsyncs", func(t *testing.T) {
		needFsyncs(t, before)
		if got.Fsyncs != 20 {
			t.Errorf("%d fsyncs and fdatasyncs were counted; there were 20", got.Fsyncs)
		}
	})
}

// A child that lives when the meter is attached counts too, and only once.
func TestAttachToATree(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	h, first := measured(t)
	needFsyncs(t, take(t, first))
	h.must(t, "child", "child", "sync", file, "1") // a child with a child
	m, err := Attach(h.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h.must(t, "reap", "sync", file, "2")
	if n := take(t, m).Fsyncs; n != 4 {
		t.Errorf("the second meter counted %d; 4 were after it", n)
	}
	if n := take(t, first).Fsyncs; n != 6 {
		t.Errorf("the first meter counted %d of 6", n)
	}
}

func needFsyncs(t *testing.T, s Sample) {
	t.Helper()
	if s.Fsyncs == Unknown {
		t.Skip("fsyncs cannot be counted here: that needs tracefs at /sys/kernel/tracing and the right to use perf events, which root has")
	}
}

func onMemory(t *testing.T, dir string) bool {
	t.Helper()
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return fs.Type == tmpfs
}

func TestEndedProcess(t *testing.T) {
	t.Parallel()
	h, m := measured(t)
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Until it is waited for it is a zombie; then it is not there.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := m.Sample(); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a killed process is measured")
		}
	}
	_ = h.end()
	if _, err := m.Sample(); err == nil {
		t.Error("a process that is gone is measured")
	}
	if _, err := Attach(h.cmd.Process.Pid); err == nil {
		t.Error("a process that is gone can be attached to")
	}
}

func TestAnotherProcessWithTheSameID(t *testing.T) {
	t.Parallel()
	_, m := measured(t)
	m.start--
	if _, err := m.Sample(); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("another process is measured: %v", err)
	}
}

func TestSelf(t *testing.T) {
	t.Parallel()
	before := Self()
	if before.CPU <= 0 || before.RSS < 1<<20 || before.Fsyncs != Unknown {
		t.Errorf("got %+v", before)
	}
	if _, err := obeyLine([]string{"burn", "20ms"}); err != nil {
		t.Fatal(err)
	}
	if used := Self().CPU - before.CPU; used < 20*time.Millisecond {
		t.Errorf("%s of 20ms were measured", used)
	}
}

func TestPIDOfPort(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			continue // no IPv6
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if pid, ok := PIDOfPort(port); !ok || pid != os.Getpid() {
			t.Errorf("%s: process %d, %v", ln.Addr(), pid, ok)
		}
		_ = ln.Close()
	}
	if pid, ok := PIDOfPort(0); ok {
		t.Errorf("process %d listens on port 0", pid)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	m := Machine()
	if m.CPU == "" || m.Cores != runtime.NumCPU() || m.Memory < 1<<26 || !strings.HasPrefix(m.OS, "linux/") || m.Go != runtime.Version() {
		t.Errorf("got %+v", m)
	}
	if host, err := os.Hostname(); err == nil && len(host) > 3 && strings.Contains(m.OS, host) {
		t.Errorf("%q names the machine", m.OS)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 300 4 20 0 1 0 987654 1000000 50 18446744073709551615"
	s, err := parseStat([]byte(line))
	want := stat{parent: 7, state: 'S', cpu: 1200 * time.Millisecond, reaped: 3040 * time.Millisecond, start: 987654, rss: 50 * int64(os.Getpagesize())}
	if err != nil || s != want {
		t.Errorf("got %+v, %v", s, err)
	}
	for bad, text := range map[string]string{"": "too short", "42 (x) S 1": "too short", strings.Replace(line, "987654", "x", 1): "field 22"} {
		if _, err := parseStat([]byte(bad)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
