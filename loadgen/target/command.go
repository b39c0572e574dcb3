package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// command is a command line in its parts.
type command struct {
	env     []string // NAME=value
	program string
	args    []string
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

func parseCommand(line string) (command, error) {
	words, err := split(line)
	if err != nil {
		return command{}, err
	}
	var c command
	for len(words) > 0 && assignment.MatchString(words[0]) {
		c.env, words = append(c.env, words[0]), words[1:]
	}
	if len(words) == 0 || words[0] == "" {
		return command{}, errors.New("the command has no program")
	}
	c.program, c.args = words[0], words[1:]
	return c, nil
}

// mentions says whether a placeholder stands anywhere in c.
func (c command) mentions(placeholder string) bool {
	all := append(append([]string{c.program}, c.env...), c.args...)
	return strings.Contains(strings.Join(all, "\n"), placeholder)
}

// replaced returns c with its placeholders filled in. Other braces stay.
func (c command) replaced(placeholders ...string) command {
	r := strings.NewReplacer(placeholders...)
	out := command{program: r.Replace(c.program)}
	for _, e := range c.env {
		out.env = append(out.env, r.Replace(e))
	}
	for _, a := range c.args {
		out.args = append(out.args, r.Replace(a))
	}
	return out
}

// build prepares c to run in dir. The program is looked up as if it were started
// from the caller's directory.
func (c command) build(dir string) (*exec.Cmd, error) {
	path, err := exec.LookPath(c.program)
	if err != nil {
		return nil, fmt.Errorf("the program of the command: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("the program of the command: %w", err)
	}
	cmd := exec.Command(path, c.args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), c.env...)
	return cmd, nil
}

// split divides a line into words as a POSIX shell does, with single and double
// quotes and backslashes, and without any expansion.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, escaped := false, false
	quote := rune(0)
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("$`\"\\\n", r) {
				word.WriteByte('\\') // it means something only before these
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("the command has an open quote %c", quote)
	case escaped:
		return nil, errors.New("the command ends with a backslash")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
