package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileNames are the names searched for in each directory, in this order (spec 06 §6.2).
var fileNames = []string{"inngest.json", "inngest.yaml", "inngest.yml"}

// File is a configuration file with the reference's flat keys (`port`, `sdk-url`, …).
type File struct {
	Path   string
	Values map[string][]string
}

// ReadFile reads one file. JSON by its extension, else YAML.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("error reading config file %s: error parsing config file: %w", path, err)
	}
	raw := map[string]any{}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		err = json.Unmarshal(text, &raw)
	} else {
		err = yaml.Unmarshal(text, &raw)
	}
	if err != nil {
		return nil, fmt.Errorf("error reading config file %s: error parsing config file: %w", path, err)
	}
	f := &File{Path: path, Values: make(map[string][]string, len(raw))}
	for key, v := range raw {
		if key == "urls" { // documented by the reference, which ignores it (spec 06 §6.4)
			key = "sdk-url"
		}
		values, ok := scalars(v)
		if ok {
			f.Values[key] = values
		}
	}
	return f, nil
}

// scalars renders a scalar or a list of them; ok is false for what no flat key
// holds (nested objects, null).
func scalars(v any) (out []string, ok bool) {
	switch v := v.(type) {
	case nil, map[string]any:
		return nil, false
	case []any:
		for _, e := range v {
			if _, nested := e.([]any); nested {
				return nil, false
			}
			s, ok := scalars(e)
			if !ok {
				return nil, false
			}
			out = append(out, s...)
		}
		return out, true
	case float64: // JSON numbers
		return []string{fmt.Sprintf("%.17g", v)}, true
	}
	return []string{fmt.Sprint(v)}, true
}

// FindFile reads the file that applies: the explicit one (flag or
// INNGEST_CONFIG), else the first that exists in dir, its parents, and
// home/.config/inngest. nil means there is none. A broken file that nobody named
// is only a warning.
func FindFile(explicit, dir, home string) (f *File, warnings []string, err error) {
	if explicit != "" {
		f, err = ReadFile(explicit)
		return f, nil, err
	}
	for _, d := range searchDirs(dir, home) {
		for _, name := range fileNames {
			f, err := ReadFile(filepath.Join(d, name))
			if err == nil {
				return f, warnings, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				warnings = append(warnings, err.Error())
			}
		}
	}
	return nil, warnings, nil
}

func searchDirs(dir, home string) []string {
	var out []string
	for d := dir; d != ""; d = filepath.Dir(d) {
		out = append(out, d)
		if filepath.Dir(d) == d {
			break
		}
	}
	if home != "" {
		out = append(out, filepath.Join(home, ".config", "inngest"))
	}
	return out
}
