// Package target gives a measurement the server that it is about: one that
// already runs, by its URL, or one that is started clean for it, by its command.
//
// What does not live here: what the server is asked (package loadgen) and what
// its process uses (package proc).
package target

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// Spec says which server to measure: either URL or Command is set.
type Spec struct {
	// Name is how reports call the server: letters, digits, "._-", at most 64.
	Name string
	// URL is the base URL of a server that runs.
	URL string
	// Command starts a server. Its words are split as a shell splits them, without a
	// shell; words of the form NAME=value before the program set its environment.
	// {port} and {port2} stand for free ports, {dir} for its working directory.
	Command string
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Parse reads "NAME=URL", "NAME=COMMAND LINE", or either without a name, which is
// then the URL's host and port or the program. What stands before the first "="
// is a name if it can be one, so a command that begins with a variable needs a name.
func Parse(s string) (Spec, error) {
	name, what := "", strings.TrimSpace(s)
	if before, after, ok := strings.Cut(what, "="); ok && nameForm.MatchString(before) {
		name, what = before, strings.TrimSpace(after)
	}
	if what == "" {
		return Spec{}, fmt.Errorf("target %q: a URL or a command is missing", s)
	}
	if strings.HasPrefix(what, "http://") || strings.HasPrefix(what, "https://") {
		return parseURL(s, name, what)
	}
	c, err := parseCommand(what)
	if err != nil {
		return Spec{}, fmt.Errorf("target %q: %w", s, err)
	}
	if name == "" {
		name = derivedName(strings.TrimSuffix(filepath.Base(c.program), ".exe"))
	}
	return Spec{Name: name, Command: what}, nil
}

func parseURL(s, name, text string) (Spec, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Spec{}, fmt.Errorf("target %q: %w", s, err)
	}
	switch {
	case u.Hostname() == "":
		return Spec{}, fmt.Errorf("target %q: the URL has no host", s)
	case u.RawQuery != "" || u.Fragment != "":
		return Spec{}, fmt.Errorf("target %q: a base URL has no query and no fragment", s)
	}
	if name == "" {
		name = derivedName(u.Host)
	}
	return Spec{Name: name, URL: strings.TrimRight(text, "/")}, nil
}

// derivedName makes a name from any text: names are also those of files.
func derivedName(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	text = strings.TrimLeft(text, "._-")
	text = text[:min(len(text), 64)]
	if text == "" {
		return "target"
	}
	return text
}
