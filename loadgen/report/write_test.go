package report

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ingot/loadgen/compare"
	"ingot/loadgen/result"
)

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteAndReadBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "dir")
	in := synthetic("ingot", 1, 1)
	if err := Write(dir, []*result.Result{in}); err != nil {
		t.Fatal(err)
	}
	want := "index.html ingot-steps-complete.hgrm ingot-steps-first_call.hgrm ingot-steps-request.hgrm ingot-steps-service.hgrm ingot-steps-step.hgrm ingot-steps.json series.csv"
	if got := strings.Join(list(t, dir), " "); got != want {
		t.Errorf("files:\n%s", got)
	}
	rs, c, err := Read(dir)
	if err != nil || c != nil || len(rs) != 1 {
		t.Fatal(rs, c, err)
	}
	if !rs[0].Latency[result.Request].Equals(in.Latency[result.Request].Histogram) || rs[0].Counts != in.Counts {
		t.Error("the result has changed")
	}
	hgrm, err := os.ReadFile(filepath.Join(dir, "ingot-steps-first_call.hgrm"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?s)^\s+Value\s+Percentile\s+TotalCount.*0\.500000.*#\[Max     =\s+\d`).Match(hgrm) {
		t.Errorf("not the format of HdrHistogram:\n%.200s", hgrm)
	}
	f, err := os.Open(filepath.Join(dir, "series.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != len(in.Series)+1 || rows[1][3] != "-2" || rows[1][4] != "2000" {
		t.Errorf("series: %d rows, %v", len(rows), err)
	}
}

func TestComparisonIsSavedAndReadBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := WriteComparison(dir, comparison(t, 3, 0.5)); err != nil {
		t.Fatal(err)
	}
	rs, c, err := Read(dir)
	if err != nil || c == nil || len(rs) != 6 {
		t.Fatal(len(rs), c, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, fileComparisonText))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`Server CPU per run .* (1\.9\d|2\.\d)x less \(`).Match(text) {
		t.Errorf("no verdict in\n%s", text)
	}
	page := filepath.Join(t.TempDir(), "p.html")
	if err := WritePage(page, rs, c); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(filepath.Join(dir, filePage))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, first) {
		t.Error("the page of the saved comparison differs from the first one")
	}
}

// hostile is a name that tries to leave the directory, the page and the terminal.
const hostile = "../../etc/<script>alert(1)</script>\x1b[2J\"'"

func TestHostileNamesStayInside(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	r := synthetic(hostile, 1, 1)
	r.Workload.Name = `..\..\x`
	r.Errors = map[string]int64{"<img src=x onerror=alert(2)>": 3}
	r.Warnings = []string{"</style><script>alert(3)</script>"}
	r.Latency["../evil"] = r.Latency[result.Request]
	if err := Write(dir, []*result.Result{r, synthetic(hostile, 2, 1), synthetic("INDEX", 3, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := list(t, parent); len(got) != 1 {
		t.Errorf("files beside the directory: %v", got)
	}
	for _, name := range list(t, dir) {
		if !regexp.MustCompile(`^[a-z0-9_.-]+$`).MatchString(name) {
			t.Errorf("file %q", name)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, filePage))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "</style><"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !strings.Contains(string(page), "&lt;img src=x onerror=alert(2)&gt;") {
		t.Error("the error is not shown")
	}
	var text bytes.Buffer
	if err := Text(&text, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("a name reaches the terminal as it is")
	}
}

func TestFolderRefusesPaths(t *testing.T) {
	t.Parallel()
	f, err := newFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "a/b", "", ".", "/x"} {
		if err := f.write(name, nil); err == nil {
			t.Errorf("%q was written", name)
		}
	}
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	a, b, c := synthetic("A b", 1, 1), synthetic("a B", 1, 1), synthetic("", 1, 1)
	c.Round, c.Workload.Name = 3, ""
	if got := strings.Join(names([]*result.Result{a, b, c}), " "); got != "a-b-steps a-b-steps-2 target-workload-round3" {
		t.Error(got)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "no saved result") {
		t.Error(err)
	}
	if _, _, err := Read(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing directory was read")
	}
	for i, content := range []string{`{`, `{"schema":77}`, `{"comparison_schema":77}`} {
		file := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(file); err == nil || !strings.Contains(err.Error(), "x.json") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := Write(dir, nil); err == nil {
		t.Error("a report of nothing was written")
	}
	if err := Write("/dev/null/x", []*result.Result{synthetic("a", 1, 1)}); err == nil {
		t.Error("a report was written nowhere")
	}
}

func TestComparisonWithoutResultsIsShown(t *testing.T) {
	t.Parallel()
	c := &compare.Comparison{Schema: 1, Targets: []string{"a", "b"}, Rounds: 1,
		Failures: []compare.Failure{{Target: "a", Round: 1, Error: "no"}}, Warnings: []string{"a: no result: no (round 1)"}}
	dir := t.TempDir()
	if err := WriteComparison(dir, c); err != nil {
		t.Fatal(err)
	}
	if rs, got, err := Read(dir); err != nil || got == nil || len(rs) != 0 {
		t.Error(rs, got, err)
	}
}
