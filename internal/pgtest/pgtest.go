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
	"sync"
	"syscall"
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

	bin  string // directory of the programs
	dir  string
	port int
	cmd  *exec.Cmd // nil while it is stopped
	log  bytes.Buffer
}

// shared is the server of all tests that run at the same time and do not stop it.
var shared struct {
	sync.Mutex
	server *Server
	users  int
	made   int // databases
}

// Start makes an empty database, in a server that tests share, and returns its URI. It is
// there until the test ends.
func Start(t testing.TB) (uri string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := create()
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	s := shared.server
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.users--; shared.users == 0 {
			shared.server = nil
			if err := s.remove(); err != nil {
				t.Error(err)
			}
		}
	})
	shared.made++
	name := "test" + strconv.Itoa(shared.made)
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return s.database(name)
}

// New runs a server of the test's own, until it ends.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// create makes and starts a server.
func create() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, port: port}
	s.URI = s.database("postgres")
	// Not t.TempDir: the server may have to run as another user, who has to get there.
	if s.dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: %w", err), s.remove())
	}
	return s, nil
}

func (s *Server) prepare() error {
	if err := hand(s.dir); err != nil {
		return err
	}
	init := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.Start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) database(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, name)
}

func (s *Server) remove() error {
	s.Stop()
	return os.RemoveAll(s.dir)
}

// Start starts a server that was stopped; its data and its port are the same.
func (s *Server) Start() error {
	s.cmd = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200")
	s.log.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		err := s.exec("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			s.Stop()
			return fmt.Errorf("the server does not answer: %w\n%s", err, s.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URI)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// Stop ends the server at once; its connections break. Stopped, it remains so.
func (s *Server) Stop() { s.end(os.Interrupt) } // what PostgreSQL calls a fast shutdown

// Crash is Stop without writing anything down: the next start recovers.
func (s *Server) Crash() { s.end(syscall.SIGQUIT) }

func (s *Server) end(sig os.Signal) {
	if s.cmd == nil {
		return
	}
	cmd := s.cmd
	s.cmd = nil
	if cmd.Process.Signal(sig) != nil { // there are systems without signals
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
	cmd.Dir = s.dir
	asUser(cmd)
	return cmd
}

// programs is the directory of the newest PostgreSQL, or that of the search path.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New(`pgtest: there is no PostgreSQL; install the Debian package "postgresql"`)
	}
	return filepath.Dir(path), nil
}

// version is the number in /usr/lib/postgresql/17/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 if it is none
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
