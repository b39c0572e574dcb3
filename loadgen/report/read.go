package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

// Bounds of what is read, against a directory that was named by mistake.
const (
	maxFiles    = 2000
	maxFileSize = 64 << 20
)

// Read loads saved results: each path is a result's JSON file or a directory
// with such files. The results come in the order in which they were measured;
// the comparison is nil if none is among them.
func Read(paths ...string) ([]*result.Result, *compare.Comparison, error) {
	files, err := expand(paths)
	if err != nil {
		return nil, nil, err
	}
	var rs []*result.Result
	var comparison *compare.Comparison
	for _, file := range files {
		r, c, err := readFile(file)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		case c != nil && comparison != nil:
			return nil, nil, fmt.Errorf("%s: this is the second comparison, a page shows one", file)
		case c != nil:
			comparison = c
		default:
			rs = append(rs, r)
		}
	}
	if len(rs) == 0 && comparison == nil {
		return nil, nil, errors.New("there is no saved result (*.json) in the given places")
	}
	slices.SortStableFunc(rs, func(a, b *result.Result) int { return a.Started.Compare(b.Started) })
	return rs, comparison, nil
}

// expand lists the JSON files of directories.
func expand(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("saved results: %w", err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("saved results: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && filepath.Ext(e.Name()) == ".json" {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("saved results: %d files, at most %d are read", len(files), maxFiles)
	}
	return files, nil
}

// readFile returns a result or a comparison.
func readFile(path string) (*result.Result, *compare.Comparison, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxFileSize {
		return nil, nil, fmt.Errorf("the file has %d bytes, at most %d are read", info.Size(), maxFileSize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	if c, err := compare.Unmarshal(b); c != nil || err != nil {
		return nil, c, err
	}
	r, err := result.Unmarshal(b)
	return r, nil, err
}
