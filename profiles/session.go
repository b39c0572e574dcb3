package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ingot/internal/e2e/rawapp"
	"ingot/loadgen/report"
	"ingot/loadgen/result"
	"ingot/loadgen/target"
	"ingot/profiles/capture"
)

const (
	// slack is how much longer the load is planned than what is recorded takes.
	slack = 5 * time.Second
	// drain bounds how long runs may take to end after the load.
	drain = 20 * time.Second
	// beginTimeout is how long the first event may take.
	beginTimeout = 30 * time.Second
	beginPoll    = 50 * time.Millisecond
)

// session is a server under load.
type session struct {
	o        options
	workload string
	dir      string // of the load's report
	server   *target.Target
	admin    *capture.Client
	flags    []string // of loadgen
	load     *exec.Cmd
	loadDone chan struct{} // closed when the load has ended, with loadErr
	loadErr  error
	loadLog  *os.File
}

// start starts server and load.
func start(ctx context.Context, o options, workload, dir string) (*session, error) {
	s := &session{o: o, workload: workload, dir: dir, loadDone: make(chan struct{})}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("the directory of the load's report: %w", err)
	}
	if err := s.startServer(ctx); err != nil {
		return nil, err
	}
	if err := s.startLoad(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) startServer(ctx context.Context) error {
	port, err := rawapp.FreePort()
	if err != nil {
		return err
	}
	bin, err := filepath.Abs(s.o.server)
	if err != nil {
		return fmt.Errorf("the server's binary: %w", err)
	}
	admin := fmt.Sprintf("127.0.0.1:%d", port)
	spec := target.Spec{Name: "ingot", Command: fmt.Sprintf("'%s' dev --host 127.0.0.1 --port {port} --admin-addr %s --data-dir '{dir}/data' --no-discovery --no-poll --log-level warn %s",
		bin, admin, s.o.serverFlags)}
	if s.server, err = spec.Open(ctx, target.Options{Log: os.Stderr}); err != nil {
		return err
	}
	s.admin = capture.New(admin)
	return nil
}

// startLoad starts loadgen. Its own warm-up is none, so that its counts are those
// of all that the server does.
func (s *session) startLoad(ctx context.Context) error {
	length := s.o.warmUp + s.o.cpu + s.o.waits + s.o.trace + slack
	s.flags = loadFlags(s.o, s.workload)
	args := append([]string{"run", "--url", s.server.URL, "--workload", s.workload, "--out", s.dir,
		"--warm-up", "0s", "--duration", length.String(), "--drain", drain.String()}, s.flags...)
	var err error
	if s.loadLog, err = os.Create(filepath.Join(s.dir, "loadgen.txt")); err != nil {
		return fmt.Errorf("the load's output: %w", err)
	}
	s.load = exec.CommandContext(ctx, s.o.loadgen, args...)
	s.load.Stdout, s.load.Stderr = s.loadLog, s.loadLog
	s.load.Cancel = func() error { return s.load.Process.Signal(os.Interrupt) }
	s.load.WaitDelay = drain
	fmt.Fprintf(os.Stderr, "load: loadgen run --workload %s %s, for %s\n", s.workload, strings.Join(s.flags, " "), length)
	if err := s.load.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting the load: %w", err), s.loadLog.Close())
	}
	go func() {
		s.loadErr = s.load.Wait()
		close(s.loadDone)
	}()
	return s.begun(ctx)
}

// begun waits for the first event.
func (s *session) begun(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beginTimeout)
	defer cancel()
	before, err := s.admin.Vars(ctx)
	for err == nil {
		var v capture.Vars
		if v, err = s.admin.Vars(ctx); err == nil && v.Store.LogHead > before.Store.LogHead {
			return nil
		}
		select {
		case <-s.loadDone:
			return fmt.Errorf("the load ended before its first event (%w): see %s", s.loadErr, s.loadLog.Name())
		case <-time.After(beginPoll):
		}
	}
	return fmt.Errorf("waiting for the first event: %w", err)
}

// result waits for the end of the load and reads what it found.
func (s *session) result(ctx context.Context) (*result.Result, error) {
	select {
	case <-s.loadDone:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.loadErr != nil {
		return nil, fmt.Errorf("the load failed (%w): see %s", s.loadErr, s.loadLog.Name())
	}
	results, _, err := report.Read(s.dir)
	if err != nil {
		return nil, fmt.Errorf("the load's result: %w", err)
	}
	return results[len(results)-1], nil
}

// close ends what runs.
func (s *session) close() error {
	var errs []error
	if s.load != nil && s.load.Process != nil {
		select {
		case <-s.loadDone:
		default:
			_ = s.load.Process.Kill() // only after an error: its result is of no use
			<-s.loadDone
		}
		errs = append(errs, s.loadLog.Close())
	}
	s.admin.Close()
	return errors.Join(append(errs, s.server.Close())...)
}
