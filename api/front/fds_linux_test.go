package front

import (
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// openFiles is how many descriptors the process has. Tests that count them do not run in
// parallel with others.
func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds) - 1 // without its own
}

// nextFile is the descriptor that the process opens next.
func nextFile(t *testing.T) int {
	t.Helper()
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	return fd
}

// leave lets the process open only n more files, until restore.
func leave(t *testing.T, n int) (restore func()) {
	t.Helper()
	var limits unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limits); err != nil {
		t.Fatal(err)
	}
	few := limits
	few.Cur = uint64(nextFile(t) + n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	restore = sync.OnceFunc(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limits); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(restore)
	return restore
}

func TestNoDescriptorLeaks(t *testing.T) {
	before := openFiles(t)
	for round := range 5 {
		w := newWorld(t, func(o *Options) { o.MaxConnections = 12 })
		var all []*client
		for i := range 16 {
			c := w.dial()
			all = append(all, c)
			switch i % 5 {
			case 0:
				c.send(post("k", "a"))
				if i < 10 {
					c.expect("a")
				}
			case 1:
				c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				if i < 10 {
					c.expect("behind GET / ")
				}
			case 2:
				c.send("POST /e/")
				c.Close() // or the server behind would wait for more
			case 3:
				_ = c.SetLinger(0) // closes with a reset
				c.Close()
			}
		}
		if round%2 == 0 {
			w.shutdown()
		}
		for _, c := range all {
			c.Close()
		}
		w.shutdown()
	}
	until(t, "all descriptors are closed", func() bool { return openFiles(t) <= before })
}

// TestNoDescriptorsLeft accepts connections while there is no descriptor for them.
func TestNoDescriptorsLeft(t *testing.T) {
	w := newWorld(t, nil)
	files := openFiles(t)
	old := w.dial()
	old.send(post("k", "a"))
	old.expect("a")
	files += 2

	addr := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: w.Addr().(*net.TCPAddr).Port}
	var clients []int
	for range 2 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		clients = append(clients, fd)
		files++
	}
	// With one that is free, a connection is accepted, but has none to be detached to.
	for _, free := range []int{0, 1} {
		until(t, "what was detached is closed", func() bool { return openFiles(t) == files })
		restore := leave(t, free)
		if err := unix.Connect(clients[free], addr); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(clients[free], []byte(post("k", "b"))); err != nil {
			t.Fatal(err)
		}
		until(t, "the front notices", func() bool { return w.warned.Load() != 0 })
		w.warned.Store(0)
		old.send(post("k", "c"))
		old.expect("c")
		restore()
		var b [200]byte
		if n, err := unix.Read(clients[free], b[:]); err != nil || n == 0 {
			t.Errorf("with %d free descriptors: %d bytes, error %v", free, n, err)
		}
		files++
	}
}

// TestNoDescriptorsToPassOn ends a connection that cannot be passed on.
func TestNoDescriptorsToPassOn(t *testing.T) {
	w := newWorld(t, nil)
	files := openFiles(t)
	c := w.dial()
	c.send(post("k", "a"))
	c.expect("a")
	until(t, "what was detached is closed", func() bool { return openFiles(t) == files+2 })
	restore := leave(t, 0)
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.end()
	restore()
	until(t, "it is forgotten", func() bool { return w.count.Load() == 0 && openFiles(t) == files+1 })
	if w.warned.Load() == 0 {
		t.Error("no warning")
	}
}

// TestNoDescriptorsForTheFront has the server behind do without.
func TestNoDescriptorsForTheFront(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	files := openFiles(t)
	for free := range 2 {
		restore := leave(t, free)
		got := Listen(ln, Options{NewHandler: func() Handler { return fakeHandler{} }, Logger: slog.New(slog.DiscardHandler)})
		restore()
		if got != ln {
			t.Errorf("with %d free descriptors there is a front", free)
		}
		if n := openFiles(t); n != files {
			t.Errorf("with %d free descriptors: %d are open, before %d", free, n, files)
		}
	}
}
