package rawapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// Process is a server that runs as a process of its own, so that it can be killed.
type Process struct {
	URL  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
	log  tail
}

// Build compiles the server into dir and returns the binary's path. Like those that are
// shipped it is without cgo, with which a machine that has a C compiler would make another
// one, whose file the kernel maps in larger pieces. It leaves out the profile for the
// compiler, with which everything below would be compiled once more.
func Build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "ingot")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-pgo=off", "-o", bin, "ingot/cmd/ingot")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return bin, nil
}

// given are the ports that FreePort has returned.
var given sync.Map

// FreePort finds a port that nobody listens on, another one each time. It is below the
// range from which systems take ports for outgoing connections: one of those could hold it
// for a while when the server that had it is down.
func FreePort() (int, error) {
	const lowest, count = 20_000, 10_000
	for range 100 {
		port := lowest + rand.IntN(count)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		if !listens(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", lowest, lowest+count-1)
}

// listens reports whether somebody listens on a port. It does not try to listen itself: a
// process that another test starts at that moment would have the socket too, until it
// executes its program, and the port would be taken.
func listens(port int) bool {
	c, err := net.DialTimeout("tcp4", "127.0.0.1:"+strconv.Itoa(port), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// StartProcess runs `bin dev` on port with more flags and returns when it answers.
func StartProcess(bin string, port int, flags ...string) (*Process, error) {
	return startProcess(bin, port, append([]string{"dev", "--no-discovery", "--no-poll"}, flags...))
}

// StartProduction is StartProcess for `bin start`, with the keys of this package.
func StartProduction(bin string, port int, flags ...string) (*Process, error) {
	return startProcess(bin, port, append([]string{"start", "--signing-key", SigningKey, "--event-key", eventKey}, flags...))
}

func startProcess(bin string, port int, args []string) (*Process, error) {
	// Where its port is taken, dev moves on, and another server would answer.
	if listens(port) {
		return nil, fmt.Errorf("the server cannot have port %d: somebody else listens there", port)
	}
	args = append(args, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	p := &Process{URL: "http://127.0.0.1:" + strconv.Itoa(port), cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.log
	p.cmd.Stdout = &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", bin, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	for deadline := time.Now().Add(30 * time.Second); ; {
		status, _, err := fasthttp.GetTimeout(nil, p.URL+"/health", time.Second)
		if err == nil && status == fasthttp.StatusOK {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("the server ended: %w\n%s", p.err, p.Log())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Kill()
			return nil, fmt.Errorf("the server does not answer\n%s", p.Log())
		}
	}
}

// Kill ends the process at once, as `kill -9` does, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop asks the process to end (SIGTERM) and returns its error.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(30 * time.Second):
		p.Kill()
		return fmt.Errorf("the server did not stop\n%s", p.Log())
	}
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.done }

// Log is the end of what the process wrote.
func (p *Process) Log() string { return p.log.String() }

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailSize = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if extra := t.buf.Len() - tailSize; extra > 0 {
		_, _ = io.CopyN(io.Discard, &t.buf, int64(extra))
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
