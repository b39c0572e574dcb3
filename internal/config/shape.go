package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// reading turns the tree of a file into settings. Which of the spellings a key has is
// decided per key: flat as the reference's, in sections, or as in CUE files.
type reading struct {
	file   *File
	getenv func(string) string
	expand bool // all values may refer to the environment
	strict bool
	seen   map[string]string // how a setting was spelled
	errs   []error
}

// newFile reads the settings of a parsed file.
func newFile(path string, raw map[string]any, getenv func(string) string) (*File, error) {
	r := reading{
		file: &File{Path: path, Values: map[string][]string{}}, getenv: getenv, seen: map[string]string{},
		expand: isTrue(raw, "expandenv"),
		strict: isTrue(raw, "configstrict") || envTrue(getenv, EnvName("config-strict")),
	}
	r.walk("", raw)
	if err := errors.Join(r.errs...); err != nil {
		return nil, fmt.Errorf("error reading config file %s: %w", path, err)
	}
	return r.file, nil
}

// isTrue looks for a switch of the file itself.
func isTrue(raw map[string]any, folded string) bool {
	for k, v := range raw {
		if fold(k) == folded {
			return isTrueText(fmt.Sprint(v))
		}
	}
	return false
}

// walk visits the leaves below a path, in the order of their names.
func (r *reading) walk(path string, node map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(node)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		switch v := node[name].(type) {
		case nil:
		case map[string]any:
			r.walk(at, v)
		default:
			r.leaf(at, v)
		}
	}
}

func (r *reading) leaf(path string, v any) {
	s, ok := byPath[fold(path)]
	if !ok {
		r.unknown(path)
		return
	}
	values, ok := scalars(v)
	if !ok {
		r.errs = append(r.errs, fmt.Errorf("config key %s must be a single value or a list of those", path))
		return
	}
	for i, text := range values {
		if r.expand || cueShaped(path) {
			text = os.Expand(text, r.getenv)
		}
		if s.negated {
			text = negate(text)
		}
		values[i] = text
	}
	// Pseudo-settings stand for several keys that need not agree.
	if before, twice := r.seen[s.key]; twice && s.use != fulfilled && !slices.Equal(r.file.Values[s.key], values) {
		r.errs = append(r.errs, fmt.Errorf("config key %s set twice: %s, %s", s.key, before, path))
		return
	}
	r.seen[s.key] = path
	r.file.Values[s.key] = values
}

// cueShaped paths come from files in which the reference expands variables.
func cueShaped(path string) bool {
	p := fold(path)
	return strings.Contains(p, ".service.") || strings.Contains(p, ".drivers.")
}

func negate(text string) string {
	if b, err := strconv.ParseBool(text); err == nil {
		return strconv.FormatBool(!b)
	}
	return text // refused where it is used
}

func (r *reading) unknown(path string) {
	text := fmt.Sprintf("unknown config key %q in %s", path, r.file.Path)
	if near := nearest(path, spellings()); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	if r.strict {
		r.errs = append(r.errs, errors.New(text))
		return
	}
	r.file.Warnings = append(r.file.Warnings, text)
}

// spellings are all names that a key of a file may have.
func spellings() []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.key)
		for _, p := range s.paths {
			out = append(out, strings.TrimPrefix(p, "!"))
		}
	}
	return out
}

// scalars renders a scalar or a list of them; ok is false for what no setting holds.
func scalars(v any) (out []string, ok bool) {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, e := range list {
		switch e := e.(type) {
		case nil, []any, map[string]any, map[any]any, []map[string]any:
			return nil, false
		case float64:
			out = append(out, strconv.FormatFloat(e, 'f', -1, 64))
		default:
			out = append(out, fmt.Sprint(e))
		}
	}
	return out, true
}
