package golden

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// categories of files that are known not to pass. Each entry has one of them, and
// may say more after it.
var categories = []string{
	"deliberate:",
	"unstable:",
	"open:",
}

// Known is why a file does not pass.
type Known struct {
	Reason string
	// Only limits the reason to problems that match: any other one is a failure. nil
	// means all problems.
	Only *regexp.Regexp
}

// Unstable says that the file may also pass, because the reference itself does not
// always do the same.
func (k *Known) Unstable() bool { return strings.HasPrefix(k.Reason, "unstable:") }

// Covers says that all problems are known.
func (k *Known) Covers(problems []string) bool {
	return k.Only == nil || !slices.ContainsFunc(problems, func(p string) bool { return !k.Only.MatchString(p) })
}

// ReadKnown reads the list of files that are known not to pass: a line for each,
// with the file and the reason, after which a regular expression in slashes may
// limit the problems that it is the reason of. Lines that begin with # are comments.
func ReadKnown(r io.Reader) (map[string]*Known, error) {
	known := map[string]*Known{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		file, reason, _ := strings.Cut(line, " ")
		k := &Known{Reason: strings.TrimSpace(reason)}
		if at := strings.Index(k.Reason, " /"); at >= 0 && strings.HasSuffix(k.Reason, "/") {
			only, err := regexp.Compile(k.Reason[at+2 : len(k.Reason)-1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			k.Reason, k.Only = k.Reason[:at], only
		}
		if !slices.ContainsFunc(categories, func(c string) bool { return strings.HasPrefix(k.Reason, c) }) {
			return nil, fmt.Errorf("%s: the reason %q has no known category", file, reason)
		}
		if known[file] != nil {
			return nil, fmt.Errorf("%s is listed twice", file)
		}
		known[file] = k
	}
	return known, lines.Err()
}
