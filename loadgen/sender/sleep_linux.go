package sender

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper sleeps to within some tens of microseconds, without spinning: a timer
// that the runtime's poller watches like a connection. The runtime's own timers
// are late by up to a millisecond on an idle machine.
type sleeper struct{ timer *os.File }

func newSleeper() *sleeper {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &sleeper{}
	}
	return &sleeper{timer: os.NewFile(uintptr(fd), "timer")}
}

func (s *sleeper) sleep(ctx context.Context, now func() time.Duration, until time.Duration) {
	if s.timer == nil {
		roughSleep(ctx, now, until)
		return
	}
	for ctx.Err() == nil {
		left := min(until-now(), longestSleep)
		if left <= 0 {
			return
		}
		if !s.once(left) {
			_ = s.timer.Close()
			s.timer = nil
			roughSleep(ctx, now, until)
			return
		}
	}
}

func (s *sleeper) once(d time.Duration) bool {
	raw, err := s.timer.SyscallConn()
	if err != nil {
		return false
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if raw.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), 0, &spec, nil) }) != nil || err != nil {
		return false
	}
	var ticks [8]byte
	_, err = s.timer.Read(ticks[:])
	return err == nil
}

func (s *sleeper) close() {
	if s.timer != nil {
		_ = s.timer.Close()
	}
}
