// Package pgtest runs a real PostgreSQL server for tests: with a data directory of its own
// that is deleted afterwards, on a free port of the loopback interface. It needs the
// programs of the Debian package "postgresql".
//
// What does not live here: anything that the server itself uses.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds the start and the stop of a server.
const patience = 60 * time.Second

// Server is a PostgreSQL server.
type Server struct {
	// URI is that of an empty database of its superuser.
	URI string

	t    testing.TB
	bin  string // directory of the programs
	data string
	port int
	cmd  *exec.Cmd // nil while it is stopped
	log  bytes.Buffer
}

// Start runs a server until the test ends, and returns the URI of a database in it.
func Start(t testing.TB) (uri string) {
	t.Helper()
	return New(t).URI
}

// New runs a server until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, bin: programs(t), port: freePort(t)}
	// Not t.TempDir: the server may have to run as another user, who has to get there.
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := hand(dir); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s.data = filepath.Join(dir, "data")
	s.URI = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	init := s.command("initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("pgtest: initdb: %v\n%s", err, out)
	}
	s.Start()
	return s
}

// Start starts a server that was stopped; its data and its port are the same.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=40")
	s.log.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	deadline := time.Now().Add(patience)
	for {
		err := s.ping()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Stop()
			s.t.Fatalf("pgtest: the server does not answer: %v\n%s", err, s.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URI)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Stop ends the server at once; its connections break. Stopped, it remains so.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	cmd := s.cmd
	s.cmd = nil
	// Interrupt is what PostgreSQL calls a fast shutdown. Where there are no signals, the
	// next start recovers.
	if cmd.Process.Signal(os.Interrupt) != nil {
		_ = cmd.Process.Kill()
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// command is one of the programs, as a user who may run it.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = filepath.Dir(s.data)
	asUser(cmd)
	return cmd
}

// programs is the directory of the newest PostgreSQL, or that of the search path.
func programs(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	t.Fatal(errMissing)
	return ""
}

var errMissing = errors.New(`pgtest: there is no PostgreSQL; install the Debian package "postgresql"`)

// version is the number in /usr/lib/postgresql/17/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 if it is none
	return n
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
