//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is who PostgreSQL runs as if this process is root's, which it refuses.
const account = "postgres"

// hand gives a directory to the account that the server runs as.
func hand(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	cred, err := credential()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(cred.Uid), int(cred.Gid))
}

// asUser lets a program run as the account.
func asUser(cmd *exec.Cmd) {
	if os.Geteuid() != 0 {
		return
	}
	if cred, err := credential(); err == nil { // hand has returned the error
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
}

func credential() (*syscall.Credential, error) {
	u, err := user.Lookup(account)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("id of user %s: %w", account, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group of user %s: %w", account, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
