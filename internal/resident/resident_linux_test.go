package resident

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReleaseTables: the process goes on, with all that it needs the tables for.
func TestReleaseTables(t *testing.T) {
	for range 10 {
		n, err := ReleaseTables()
		if err != nil || n == 0 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		pc, _, _, _ := runtime.Caller(0)
		if f := runtime.FuncForPC(pc).Name(); !strings.HasSuffix(f, ".TestReleaseTables") {
			t.Errorf("this function is %s", f)
		}
		if n := reflect.TypeFor[mapping]().NumField(); n != 4 {
			t.Errorf("a mapping has %d fields", n)
		}
		deep(64)
		runtime.GC()
		if !errors.Is(unix.EINVAL, unix.EINVAL) || unix.EINVAL.Error() != "invalid argument" {
			t.Errorf("constants are %q", unix.EINVAL.Error())
		}
	}
}

// deep makes the stack grow, which is what the tables of functions are needed for.
func deep(n int) (sum int) {
	var frame [1 << 10]byte
	if n > 0 {
		frame[n]++
		sum = deep(n - 1)
	}
	return sum + int(frame[n])
}

const smaps = `00400000-0173b000 r-xp 00000000 fe:00 1   /opt/my server/ingot
Rss:               15000 kB
Anonymous:             0 kB
0173b000-02c8b000 r--p 0133b000 fe:00 1   /opt/my server/ingot
Size:              21824 kB
Rss:               14000 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
02c8b000-02c8c000 r--p 0288b000 fe:00 1   /opt/my server/ingot
Rss:                   4 kB
Anonymous:             4 kB
02c8c000-02dd6000 rw-p 0288c000 fe:00 1   /opt/my server/ingot
Rss:                1004 kB
Anonymous:          1004 kB
03000000-03001000 r--p 03000000 fe:00 1   /opt/my server/ingot
Rss:                   0 kB
Anonymous:             0 kB
03001000-03002000 r--p 03001000 fe:00 1   /opt/my server/ingot
Rss:                   8 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 2   /usr/lib/libc.so.6
Rss:                   4 kB
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 00:00 0
Rss:                   4 kB
Anonymous:             0 kB
`

// TestFindTables: only what is exactly as in the program's file is given back.
func TestFindTables(t *testing.T) {
	t.Parallel()
	got, err := findTables(strings.NewReader(smaps), "/opt/my server/ingot")
	want := []mapping{{begin: 0x173b000, end: 0x2c8b000, resident: 14000 << 10}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		"0173b000-xyz r--p 0133b000 fe:00 1   /opt/my server/ingot\n",
		"0173b000-02c8b000 r--p 0133b000 fe:00 1   /opt/my server/ingot\nRss: many kB\n",
	} {
		if got, err := findTables(strings.NewReader(bad), "/opt/my server/ingot"); err == nil {
			t.Errorf("%q: %+v and no error", bad, got)
		}
	}
}
