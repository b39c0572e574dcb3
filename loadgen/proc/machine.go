package proc

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"ingot/loadgen/result"
)

// Machine describes this machine, as far as it can be seen: what a reader needs to
// judge figures, and nothing that names the machine.
func Machine() result.Machine {
	m := result.Machine{
		CPU:   firstField("/proc/cpuinfo", "model name"),
		Cores: runtime.NumCPU(),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:    runtime.Version(),
	}
	if m.CPU == "" {
		m.CPU = runtime.GOARCH
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(kernel))
	}
	total := strings.TrimSuffix(firstField("/proc/meminfo", "MemTotal"), " kB")
	if kb, err := strconv.ParseInt(total, 10, 64); err == nil {
		m.Memory = kb << 10
	}
	return m
}

// firstField returns the value of the first line "name : value" of a file, or nothing.
func firstField(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
