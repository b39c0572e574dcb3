package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

func TestRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("there is no redis-server; TestRedisMeter does the same with less")
	}
	address := startRedis(t)
	user, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, ForceSingleClient: true,
		PipelineMultiplex: -1, Dialer: net.Dialer{KeepAlive: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	m, err := AttachRedis(t.Context(), "redis://"+address)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()

	before := takeRedis(t, m)
	const count = 1000
	for i := range count {
		cmd := user.B().Set().Key(strconv.Itoa(i)).Value(strings.Repeat("x", 1000)).Build()
		if err := user.Do(t.Context(), cmd).Error(); err != nil {
			t.Fatal(err)
		}
	}
	// Long enough for keep-alive pings of clients that send any.
	time.Sleep(1500 * time.Millisecond)
	takeRedis(t, m)
	after := takeRedis(t, m)
	if n := after.Commands - before.Commands; n != count {
		t.Errorf("%d commands were measured; %d were sent by others", n, count)
	}
	if n := after.UsedMemory - before.UsedMemory; n < count*1000 {
		t.Errorf("the memory has grown by %d bytes for %d", n, count*1000)
	}
	if after.CPU <= before.CPU {
		t.Errorf("the CPU time is %s, after %s", after.CPU, before.CPU)
	}
}

func takeRedis(t *testing.T, m *RedisMeter) RedisSample {
	t.Helper()
	s, err := m.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startRedis runs a server without persistence until the test ends.
func startRedis(t *testing.T) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = ln.Addr().String()
	_ = ln.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen")
		}
	}
}

// fakeRedis answers INFO like an old Redis, which knows no HELLO.
func fakeRedis(t *testing.T, info func(commands int) string) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for commands := 0; ; {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			commands = answer(conn, commands, info)
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-ended })
	return "redis://" + ln.Addr().String()
}

// answer serves one connection until its end.
func answer(conn net.Conn, commands int, info func(commands int) string) int {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return commands
		}
		reply := fmt.Sprintf("-ERR unknown command '%s'\r\n", command)
		if strings.EqualFold(command, "INFO") {
			text := info(commands)
			reply = fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		}
		commands++
		if _, err := conn.Write([]byte(reply)); err != nil {
			return commands
		}
	}
}

// readCommand reads an array of strings and returns the first.
func readCommand(r *bufio.Reader) (string, error) {
	line := func() (string, error) {
		text, err := r.ReadString('\n')
		return strings.TrimSpace(text), err
	}
	head, err := line()
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(head, "*"))
	if err != nil {
		return "", err
	}
	var words []string
	for range n {
		if _, err := line(); err != nil { // its length; no string here has line breaks
			return "", err
		}
		word, err := line()
		if err != nil {
			return "", err
		}
		words = append(words, word)
	}
	return words[0], nil
}

func TestRedisMeter(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("samples", func(t *testing.T) {
		url := fakeRedis(t, func(commands int) string {
			return fmt.Sprintf("# Memory\r\nused_memory:4096\r\n# Stats\r\ntotal_commands_processed:%d\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.25\r\n", 100+commands)
		})
		m, err := AttachRedis(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		first := takeRedis(t, m)
		if second := takeRedis(t, m); first != second || first.Commands < 100 || first.UsedMemory != 4096 || first.CPU != 3750*time.Millisecond {
			t.Errorf("got %+v, then %+v", first, second)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		url := fakeRedis(t, func(int) string { return "total_commands_processed:1\r\nused_memory:x\r\n" })
		if _, err := AttachRedis(t.Context(), url); err == nil || !strings.Contains(err.Error(), "used_memory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		url := fakeRedis(t, func(int) string { <-t.Context().Done(); return "" })
		if _, err := AttachRedis(ctx, url); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAttachRedisRefuses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{"localhost": "the URL of Redis", "redis://127.0.0.1:1": "connecting to Redis"} {
		if _, err := AttachRedis(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
