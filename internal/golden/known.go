package golden

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Categories of files that are known not to pass. Each entry has one of them, and
// says more after it.
var categories = []string{
	"flow-control: later issue",
	"api view: later issue",
	"start mode: later issue",
	"deliberate:",
	"unstable:",
	"open:",
}

// ReadKnown reads the list of files that are known not to pass: a line for each,
// with the file and the reason; lines that begin with # are comments. An entry with
// "unstable:" may also pass, because the reference itself does not always do the same.
func ReadKnown(r io.Reader) (map[string]string, error) {
	known := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		file, reason, _ := strings.Cut(line, " ")
		reason = strings.TrimSpace(reason)
		ok := false
		for _, c := range categories {
			ok = ok || strings.HasPrefix(reason, c)
		}
		if !ok {
			return nil, fmt.Errorf("%s: the reason %q has no known category", file, reason)
		}
		if _, dup := known[file]; dup {
			return nil, fmt.Errorf("%s is listed twice", file)
		}
		known[file] = reason
	}
	return known, lines.Err()
}
