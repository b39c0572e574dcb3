package target

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	// outputTimeout is how long output is still read when the server has ended and
	// something that it started holds the pipe.
	outputTimeout = time.Second
	// tailSize is how much of the output an error message can show.
	tailSize = 8 << 10
)

// process is a server that was started here, with everything that it starts.
type process struct {
	cmd    *exec.Cmd
	output tail
	done   chan struct{} // closed when it has ended
	err    error         // how, once done is closed
}

// startProcess runs cmd; its output also goes to log, if that is not nil.
func startProcess(cmd *exec.Cmd, log io.Writer) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout = &p.output
	if log != nil {
		cmd.Stdout = io.MultiWriter(&p.output, log)
	}
	cmd.Stderr = cmd.Stdout
	cmd.WaitDelay = outputTimeout
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
		killGroup(cmd.Process) // what it started and left behind
	}()
	return p, nil
}

// ended returns an error if the process has ended, with its last output.
func (p *process) ended() error {
	select {
	case <-p.done:
		how := "with success"
		if p.err != nil {
			how = p.err.Error()
		}
		return fmt.Errorf("the server ended: %s; its last output:\n%s", how, p.output.String())
	default:
		return nil
	}
}

// stop asks the process to end, and kills it if it does not do so in time.
func (p *process) stop(timeout time.Duration) error {
	if p.ended() != nil {
		return nil
	}
	if err := askToEnd(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		killGroup(p.cmd.Process)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	killGroup(p.cmd.Process)
	<-p.done
	return fmt.Errorf("the server did not end within %s and was killed; its last output:\n%s", timeout, p.output.String())
}

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	t.buf.Write(b[max(0, n-tailSize):])
	t.buf.Next(max(0, t.buf.Len()-tailSize))
	return n, nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
