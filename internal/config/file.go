package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"
)

// fileNames are the names searched for in each directory, in this order (spec 06
// §8.2): the reference's, so that it finds the same file, then ours.
var fileNames = []string{"inngest.json", "inngest.yaml", "inngest.yml", "inngest.toml"}

// systemDirs are searched last.
var systemDirs = []string{"/etc/inngest", "/etc"}

// maxFileSize bounds a configuration file in bytes.
const maxFileSize = 1 << 20

// File is a configuration file, whatever its format and spellings.
type File struct {
	Path string
	// Values are by the settings' keys.
	Values map[string][]string
	// Warnings name keys that nobody knows.
	Warnings []string
}

// ReadFile reads one file: JSON, YAML or TOML by its extension, or by its content where
// the extension says nothing. getenv serves what refers to the environment.
func ReadFile(path string, getenv func(string) string) (*File, error) {
	text, err := readBounded(path)
	if err == nil {
		var raw map[string]any
		if raw, err = parse(text, strings.ToLower(filepath.Ext(path))); err == nil {
			return newFile(path, raw, getenv)
		}
	}
	if errors.Is(err, errNoFormat) {
		return nil, err
	}
	return nil, fmt.Errorf("error reading config file %s: error parsing config file: %w", path, err)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(text) > maxFileSize {
		err = fmt.Errorf("it is larger than %d bytes", maxFileSize)
	}
	return text, err
}

// errNoFormat says that a file without a telling name is in no format.
var errNoFormat = errors.New("config file must be JSON, YAML or TOML")

func parse(text []byte, ext string) (map[string]any, error) {
	switch ext {
	case ".json":
		return parseJSON(text)
	case ".yaml", ".yml":
		return parseYAML(text)
	case ".toml":
		return parseTOML(text)
	case ".cue":
		return nil, errors.New("CUE is not supported; the same keys can be written in JSON, YAML or TOML")
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return parseJSON(text)
	}
	if raw, err := parseTOML(text); err == nil {
		return raw, nil
	}
	raw, err := parseYAML(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoFormat, err)
	}
	return raw, nil
}

func parseJSON(text []byte) (raw map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // so that large numbers stay as they were written
	if err = d.Decode(&raw); err == nil && d.More() {
		err = errors.New("there is something behind the object")
	}
	return raw, err
}

func parseYAML(text []byte) (raw map[string]any, err error) {
	err = yaml.Unmarshal(text, &raw)
	return raw, err
}

func parseTOML(text []byte) (raw map[string]any, err error) {
	err = toml.Unmarshal(text, &raw)
	return raw, err
}

// FindFile reads the file that applies: the explicit one (flag or
// INNGEST_CONFIG), else the first that exists in dir, its parents,
// home/.config/inngest and the system's directories. nil means there is none. A broken
// file that nobody named is only a warning.
func FindFile(explicit, dir, home string, getenv func(string) string) (f *File, warnings []string, err error) {
	if explicit != "" {
		f, err = ReadFile(explicit, getenv)
		return f, nil, err
	}
	for _, d := range searchDirs(dir, home) {
		for _, name := range fileNames {
			f, err := ReadFile(filepath.Join(d, name), getenv)
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
	return append(out, systemDirs...)
}
