package golden

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Values of views that have a meaning of their own.

// viewValue compares such a value; done is false for any other.
func (c *viewComparer) viewValue(path string, want, got any) (diff string, done bool) {
	field := path[strings.LastIndexByte(path, '.')+1:]
	if at := strings.IndexByte(field, '['); at >= 0 {
		field = field[:at]
	}
	switch field {
	case "output", "data", "payloads", "stack":
		w, isText := want.(string)
		g, alsoText := got.(string)
		if isText && alsoText {
			return c.document(path, w, g)
		}
	case "sizeBytes":
		return "", similarSize(want, got)
	case "batchID", "batchCreatedAt", "cron":
		// functionRun knows them seldom or never in the reference, though run has them.
		return "", want == nil && strings.HasPrefix(path, "functionRun.")
	}
	return "", false
}

// document compares what should be JSON text: objects and lists by what they hold, for
// user data keep their spelling in some places of the reference.
func (c *viewComparer) document(path, want, got string) (diff string, done bool) {
	if rest, ok := strings.CutPrefix(want, "<TRUNCATED chars="); ok {
		return c.truncated(rest, got), true
	}
	if !strings.HasPrefix(want, "{") && !strings.HasPrefix(want, "[") {
		return "", false
	}
	w, err := decodeTemplate(want)
	if err != nil {
		return "", false
	}
	g, err := decodeJSON([]byte(got))
	if err != nil {
		return "", false
	}
	inner := comparer{b: c.b}
	inner.value(path, w, g)
	return strings.Join(inner.diffs, "; "), true
}

// truncated compares what was recorded of a long text: its beginning, and its hash where
// no placeholder changes it, else about its length.
func (c *viewComparer) truncated(want, got string) string {
	var chars int
	var sum string
	if _, err := fmt.Sscanf(want, "%d sha256(as normalised)=%16s", &chars, &sum); err != nil {
		return "the recording cannot be read: " + err.Error()
	}
	_, beginning, _ := strings.Cut(want, "> ")
	if !placeholderForm.MatchString(beginning) {
		if has := sha256.Sum256([]byte(got)); hex.EncodeToString(has[:8]) != sum {
			return fmt.Sprintf("recorded %d characters with another hash, got %d: %q", chars, len(got), clip(got))
		}
		return ""
	}
	rest := got
	for _, p := range parse(beginning) {
		n, err := c.b.matchPart(&p, rest)
		if err != nil {
			return err.Error()
		}
		rest = rest[n:]
	}
	if d := len(got) - chars; d < -idWidths || d > idWidths {
		return fmt.Sprintf("recorded %d characters, got %d", chars, len(got))
	}
	return ""
}

// similarSize says that two sizes differ by no more than the addresses in what is
// measured: ports have four digits or five.
func similarSize(want, got any) bool {
	w, ok := want.(json.Number)
	g, too := got.(json.Number)
	if !ok || !too {
		return false
	}
	a, err1 := w.Int64()
	b, err2 := g.Int64()
	return err1 == nil && err2 == nil && a > 100 && a-b <= 2 && b-a <= 2
}
