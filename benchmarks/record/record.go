// Package record is the place of recorded results: where they are, what their
// headers say, and which of them is the one to compare with.
//
// What does not live here: measuring (packages micro and suite).
package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"ingot/loadgen/proc"
	"ingot/loadgen/result"
)

// Root is where results are, from the repository's root.
const Root = "benchmarks/results"

// Header says of a result what makes it comparable.
type Header struct {
	Date    time.Time      `json:"date"`
	Commit  string         `json:"commit"`
	Command string         `json:"command"`
	Machine result.Machine `json:"machine"`
}

// NewHeader describes this machine, this checkout and now. command is what a reader
// would type to get the same.
func NewHeader(ctx context.Context, command string) Header {
	return Header{Date: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx), Command: command, Machine: proc.Machine()}
}

// commit is the short hash of the checkout, with a mark if files differ from it;
// "unknown" outside of one.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Lines returns the header as comment lines, which benchstat passes over.
func (h Header) Lines() string {
	m := h.Machine
	return fmt.Sprintf("# date: %s\n# commit: %s\n# command: %s\n# machine: %s, %d cores, %d MiB, %s, %s\n",
		h.Date.Format(time.RFC3339), h.Commit, h.Command, m.CPU, m.Cores, m.Memory>>20, m.OS, m.Go)
}

// Dir is the directory of results that begin at h's date on h's machine. name
// replaces the machine's short name if it is not empty.
func (h Header) Dir(root, name string) string {
	return filepath.Join(root, h.Date.Format(time.DateOnly)+"-"+h.name(name))
}

func (h Header) name(name string) string {
	if name != "" {
		return name
	}
	return ShortName(h.Machine)
}

// noise are the words of a CPU's name that say nothing.
var noise = regexp.MustCompile(`\((r|tm)\)|@.*|\b(cpu|processor|with .*)\b`)

var unwanted = regexp.MustCompile(`[^a-z0-9]+`)

// ShortName is a machine's name for files: its CPU and number of cores, since host
// names say nothing to others.
func ShortName(m result.Machine) string {
	cpu := noise.ReplaceAllString(strings.ToLower(m.CPU), " ")
	cpu = strings.Trim(unwanted.ReplaceAllString(cpu, "-"), "-")
	if cpu == "" {
		cpu = "unknown"
	}
	return fmt.Sprintf("%.40s-%dcore", cpu, m.Cores)
}

// Newest returns the path of the newest recorded file of that name on h's machine,
// not later than h; "" if there is none.
func (h Header) Newest(root, name, file string) (string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for earlier results: %w", err)
	}
	last := filepath.Base(h.Dir(root, name))
	for _, e := range slices.Backward(entries) {
		date, machine := cutDate(e.Name())
		if date == "" || machine != h.name(name) || e.Name() > last {
			continue
		}
		path := filepath.Join(root, e.Name(), file)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// cutDate splits the name of a result's directory; date is empty if it is none.
func cutDate(name string) (date, machine string) {
	const n = len(time.DateOnly)
	if len(name) < n+2 || name[n] != '-' {
		return "", ""
	}
	if _, err := time.Parse(time.DateOnly, name[:n]); err != nil {
		return "", ""
	}
	return name[:n], name[n+1:]
}

// Write stores a file in the directory of h's results.
func (h Header) Write(root, name, file string, data []byte) (string, error) {
	dir := h.Dir(root, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("recording: %w", err)
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return "", fmt.Errorf("recording: %w", err)
	}
	return path, nil
}
