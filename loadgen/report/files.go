package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ingot/loadgen/result"
)

// folder is a directory that only files with harmless names are written to.
type folder string

func newFolder(dir string) (folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("directory of a report: %w", err)
	}
	return folder(dir), nil
}

// write replaces the file name at once.
func (f folder) write(name string, content []byte) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fmt.Errorf("writing a report: %q is no plain file name", name)
	}
	return WriteFile(filepath.Join(string(f), name), content)
}

func (f folder) render(name string, content func(io.Writer) error) error {
	var b bytes.Buffer
	if err := content(&b); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.write(name, b.Bytes())
}

// WriteFile replaces a file at once: readers see the old or the new content,
// whole. It does not wait for the disk.
func WriteFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".loadgen-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return nil
}

// names gives each result a file name of its own: target-workload, with the
// round or a number where there are several.
func names(rs []*result.Result) []string {
	list := make([]string, len(rs))
	used := map[string]bool{"comparison": true}
	for i, r := range rs {
		base := plain(r.Target.Name, "target") + "-" + plain(r.Workload.Name, "workload")
		if r.Round > 0 {
			base += fmt.Sprintf("-round%d", r.Round)
		}
		name := base
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		used[name], list[i] = true, name
	}
	return list
}

// plainLength bounds one part of a file name.
const plainLength = 48

// plain makes a part of a file name of any text: letters, digits, "_" and "-", in
// lower case, since some file systems do not tell cases apart.
func plain(text, fallback string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, text)
	if len(text) > plainLength {
		text = text[:plainLength]
	}
	if text = strings.Trim(text, "-_"); text == "" {
		return fallback
	}
	return text
}
