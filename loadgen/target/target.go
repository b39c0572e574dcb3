package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ingot/loadgen/proc"
	"ingot/loadgen/result"
)

const (
	// stopTimeout is how long a server may take to end after it was asked to.
	stopTimeout = 15 * time.Second
	// DefaultPort is that of the reference: a command without {port} listens there.
	DefaultPort = 8288
	// readyTimeout is how long a server may take until it answers.
	readyTimeout = 60 * time.Second
	// readyInterval is how often it is asked whether it does.
	readyInterval = 10 * time.Millisecond
)

// Options are about how a target is opened.
type Options struct {
	// AllowRemote permits a URL on another machine.
	AllowRemote bool
	// Log receives the output of a commanded server; nil discards it.
	Log io.Writer
	// KeepDir leaves the server's working directory in place.
	KeepDir bool
	// Dir is where working directories are made; empty means the system's place for
	// temporary files.
	Dir string
}

// Target is a server that answers.
type Target struct {
	result.Target
	// Dir is the working directory of a commanded server.
	Dir string

	keepDir bool
	process *process // nil if it was not started here
	client  *http.Client
}

// Open returns the server once it answers: GET /health, /dev or / with 200. A
// commanded one is started in a fresh directory; Close ends it.
func (s Spec) Open(ctx context.Context, o Options) (*Target, error) {
	t := &Target{
		Target:  result.Target{Name: s.Name, URL: s.URL, Command: s.Command},
		keepDir: o.KeepDir,
		client:  newClient(),
	}
	err := t.open(ctx, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("target %s: %w", s.Name, err), t.Close())
	}
	t.Version = version(ctx, t.client, t.URL)
	return t, nil
}

func (t *Target) open(ctx context.Context, o Options) error {
	if t.Command != "" {
		if err := t.start(o); err != nil {
			return err
		}
		return t.ready(ctx)
	}
	local := requireLoopback(ctx, t.URL)
	if local != nil && !o.AllowRemote {
		return local
	}
	if err := healthy(ctx, t.client, t.URL); err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	if u, err := url.Parse(t.URL); err == nil && local == nil {
		t.PID, _ = proc.PIDOfPort(portOf(u))
	}
	return nil
}

// start runs the command in a fresh directory.
func (t *Target) start(o Options) error {
	c, err := parseCommand(t.Command)
	if err != nil {
		return err
	}
	port, port2, err := ports(c)
	if err != nil {
		return err
	}
	if t.Dir, err = newDir(o.Dir, t.Name); err != nil {
		return fmt.Errorf("the server's working directory: %w", err)
	}
	cmd, err := c.replaced("{port}", strconv.Itoa(port), "{port2}", strconv.Itoa(port2), "{dir}", t.Dir).build(t.Dir)
	if err != nil {
		return err
	}
	if t.process, err = startProcess(cmd, o.Log); err != nil {
		return err
	}
	t.URL = "http://127.0.0.1:" + strconv.Itoa(port)
	t.PID = cmd.Process.Pid
	return nil
}

// newDir makes a directory and returns its absolute path: the server sees it from inside.
func newDir(parent, name string) (string, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "loadgen-"+name+"-")
}

// ports chooses what {port} and {port2} stand for.
func ports(c command) (port, port2 int, err error) {
	if !c.mentions("{port}") {
		if err := isFree(DefaultPort); err != nil {
			return 0, 0, fmt.Errorf("the command has no {port}, and the default port %d is not free: %w", DefaultPort, err)
		}
		port = DefaultPort
	} else if port, err = freePort(); err != nil {
		return 0, 0, err
	}
	port2, err = freePort(port)
	return port, port2, err
}

// ready waits until the started server answers.
func (t *Target) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		last := healthy(ctx, t.client, t.URL)
		if last == nil {
			return t.process.ended()
		}
		select {
		case <-t.process.done:
			return t.process.ended()
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer (%w): %w; its last output:\n%s", context.Cause(ctx), last, t.process.output.String())
		case <-tick.C:
		}
	}
}

// Alive returns an error if the server has ended or, where it was not started
// here, does not answer.
func (t *Target) Alive() error {
	if t.process != nil {
		return t.process.ended()
	}
	return healthy(context.Background(), t.client, t.URL)
}

// Close ends a server that was started here, with everything it started, and
// removes its directory. It waits 15 seconds for a clean end.
func (t *Target) Close() error {
	var errs []error
	if t.process != nil {
		errs = append(errs, t.process.stop(stopTimeout))
	}
	if t.Dir != "" && !t.keepDir {
		errs = append(errs, os.RemoveAll(t.Dir))
	}
	return errors.Join(errs...)
}
