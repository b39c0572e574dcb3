package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStagesExist: a benchmark that is renamed must not drop out of the record unnoticed.
func TestStagesExist(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^func (Benchmark\w+)\(`)
	for _, st := range stages {
		files, err := filepath.Glob(filepath.Join("..", "..", st.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		want, found := regexp.MustCompile(st.bench), false
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllSubmatch(src, -1) {
				found = found || want.Match(m[1])
			}
		}
		if !found {
			t.Errorf("%s: nothing in %s matches %s", st.name, st.pkg, st.bench)
		}
	}
}

func TestSelected(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, st := range selected("X") {
		if seen[st.pkg] || st.bench != "X" {
			t.Errorf("%+v", st)
		}
		seen[st.pkg] = true
	}
	if len(seen) < 5 {
		t.Errorf("packages: %v", seen)
	}
}

func TestBadPattern(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), settings{bench: "("}, nil); err == nil || !strings.Contains(err.Error(), "bench:") {
		t.Errorf("got %v", err)
	}
}
