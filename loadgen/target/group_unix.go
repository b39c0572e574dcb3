//go:build unix

package target

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup gives the process a group of its own: what it starts can be ended with
// it, and a Ctrl-C in the terminal reaches only the measurement, which then ends it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// askToEnd asks the whole group: a wrapper need not pass the signal on.
func askToEnd(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup ends what is left of the group. There may be nothing.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
