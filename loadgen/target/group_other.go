//go:build !unix

package target

import (
	"os"
	"os/exec"
)

// Without process groups and signals a server is ended at once, and alone.

func ownGroup(*exec.Cmd) {}

func askToEnd(p *os.Process) error { return p.Kill() }

func killGroup(p *os.Process) { _ = p.Kill() }
