package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes the test binary a process to be measured: it does what the
// lines on its input say, and answers each when it is done.
const helperVariable = "PROC_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		obey(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// helper is such a process.
type helper struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
}

func startHelper() (*helper, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"=1", "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &helper{cmd, in, bufio.NewScanner(out)}, cmd.Start()
}

func (h *helper) do(words ...string) error {
	if _, err := fmt.Fprintln(h.in, strings.Join(words, " ")); err != nil {
		return err
	}
	if !h.answers.Scan() {
		return errors.New("the helper ended")
	}
	if text := h.answers.Text(); text != "ok" {
		return errors.New(text)
	}
	return nil
}

func (h *helper) end() error {
	_ = h.in.Close()
	return h.cmd.Wait()
}

// obey is the life of a helper.
func obey(in io.Reader, out io.Writer) {
	var held []any
	for lines := bufio.NewScanner(in); lines.Scan(); {
		kept, err := obeyLine(strings.Fields(lines.Text()))
		held = append(held, kept)
		answer := "ok"
		if err != nil {
			answer = err.Error()
		}
		_, _ = fmt.Fprintln(out, answer)
	}
	for _, kept := range held {
		if child, ok := kept.(*helper); ok {
			_ = child.end()
		}
	}
}

func obeyLine(words []string) (kept any, err error) {
	switch words[0] {
	case "burn": // burn DURATION: CPU time
		d, err := time.ParseDuration(words[1])
		for begin := Self().CPU; err == nil && Self().CPU-begin < d; {
		}
		return nil, err
	case "hold": // hold BYTES: resident memory
		n, err := strconv.Atoi(words[1])
		b := make([]byte, n)
		for i := 0; i < n; i += os.Getpagesize() {
			b[i] = 1
		}
		return b, err
	case "sync": // sync FILE N: as often 4 KiB, fsync and fdatasync
		n, err := strconv.Atoi(words[2])
		for i := 0; i < n && err == nil; i++ {
			err = writeInNewThread(words[1])
		}
		return nil, err
	case "child", "reap": // what follows is done by a child, which stays or ends
		child, err := startHelper()
		if err != nil {
			return nil, err
		}
		err = child.do(words[1:]...)
		if words[0] == "child" {
			return child, err
		}
		return nil, errors.Join(err, child.end())
	}
	return nil, fmt.Errorf("unknown: %s", words[0])
}

func writeInNewThread(file string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err == nil {
			_, err = f.Write(make([]byte, 4<<10))
			err = errors.Join(err, f.Sync(), syscall.Fdatasync(int(f.Fd())), f.Close())
		}
		done <- err
	}()
	return <-done
}

// measured starts a helper that a Meter is attached to.
func measured(t *testing.T) (*helper, *Meter) {
	t.Helper()
	h, err := startHelper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.end() })
	m, err := Attach(h.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return h, m
}

func (h *helper) must(t *testing.T, words ...string) {
	t.Helper()
	if err := h.do(words...); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}

func take(t *testing.T, m *Meter) Sample {
	t.Helper()
	s, err := m.Sample()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
