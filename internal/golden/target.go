package golden

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ingot/internal/e2e/rawapp"
)

// Server is a running server under test.
type Server struct {
	// Addr is its host:port.
	Addr string
	// Log is the file that it logs to.
	Log  string
	stop func()
}

// Start runs a server of its own data directory, below dir, on a free port, and
// waits until it answers.
func Start(ctx context.Context, bin, dir, mode string, flags ...string) (*Server, error) {
	free, err := rawapp.FreePort()
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(free)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), Log: filepath.Join(dir, "server.log")}
	log, err := os.Create(s.Log)
	if err != nil {
		return nil, err
	}
	args := append([]string{mode, "--host", "127.0.0.1", "--port", port, "--json"}, flags...)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		done <- cmd.Wait()
		_ = log.Close()
	}()
	s.stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-done:
			return nil, fmt.Errorf("the server ended: %v\n%s", err, s.Tail())
		default:
		}
		res, err := client.Get("http://" + s.Addr + "/health")
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return s, nil
		}
	}
	s.Stop()
	return nil, fmt.Errorf("the server does not answer\n%s", s.Tail())
}

// Stop ends the server, at once if it does not end by itself within 5 s.
func (s *Server) Stop() { s.stop() }

// Tail returns the end of the server's log.
func (s *Server) Tail() string {
	raw, err := os.ReadFile(s.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) > 15 {
		lines = lines[len(lines)-15:]
	}
	return strings.Join(lines, "\n")
}
