package golden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/textproto"
	"regexp"
	"sort"
	"strings"
)

// number marks a numeric placeholder inside decoded template JSON: outside of
// strings the recordings have it bare, as in {"ts":<MS>}.
const number = "\uE000"

// decodeTemplate decodes template JSON. Numbers stay text.
func decodeTemplate(raw string) (any, error) { return decodeJSON([]byte(quoteNumbers(raw))) }

// quoteNumbers makes template text JSON: bare placeholders become marked strings.
func quoteNumbers(raw string) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\' && i+1 < len(raw):
			out.WriteByte(c)
			i++
			c = raw[i]
		case c == '"':
			inString = !inString
		case c == '<' && !inString:
			if end := strings.IndexByte(raw[i:], '>'); end > 0 {
				out.WriteString(`"` + number + raw[i:i+end+1] + `"`)
				i += end
				continue
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}

var quotedNumber = regexp.MustCompile(`"` + number + `(<[^>]*>)"`)

// bareNumbers takes quoteNumbers back.
func bareNumbers(text string) string { return quotedNumber.ReplaceAllString(text, "$1") }

func decodeJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("text after the JSON value")
	}
	return v, nil
}

// maxDiffs bounds what is said of one value.
const maxDiffs = 8

// comparer collects the differences between a template value and an actual one.
type comparer struct {
	b *Bindings
	// unordered says which arrays may be permuted.
	unordered func(path string) bool
	// special compares values of a meaning of their own, unless it is nil; done is false
	// for values that are compared as any others.
	special func(path string, want, got any) (diff string, done bool)
	diffs   []string
}

func (c *comparer) diff(path, format string, args ...any) {
	if len(c.diffs) < maxDiffs {
		c.diffs = append(c.diffs, strings.TrimPrefix(path, ".")+": "+fmt.Sprintf(format, args...))
	}
}

func (c *comparer) value(path string, want, got any) {
	if c.special != nil {
		if d, done := c.special(path, want, got); done {
			if d != "" {
				c.diff(path, "%s", d)
			}
			return
		}
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.diff(path, "recorded an object, got %s", show(got))
			return
		}
		c.object(path, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok {
			c.diff(path, "recorded an array, got %s", show(got))
			return
		}
		c.array(path, w, g)
	case string:
		c.text(path, w, got)
	default:
		if want != got {
			c.diff(path, "recorded %s, got %s", show(want), show(got))
		}
	}
}

func (c *comparer) text(path, want string, got any) {
	g, ok := got.(string)
	if rest, isNumber := strings.CutPrefix(want, number); isNumber {
		n, isNum := got.(json.Number)
		want, g, ok = rest, string(n), isNum
	}
	if !ok {
		c.diff(path, "recorded %q, got %s", clip(want), show(got))
		return
	}
	if err := c.b.Match(want, g); err != nil {
		c.diff(path, "%v", err)
	}
}

func (c *comparer) object(path string, want, got map[string]any) {
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		// A key may be a placeholder too, once its value is known.
		name := k
		if v, ok := c.b.Value(k); ok {
			name = v
		}
		g, ok := got[name]
		if !ok {
			c.diff(path+"."+k, "recorded %s, missing", show(want[k]))
			continue
		}
		c.value(path+"."+k, want[k], g)
	}
	if len(got) > len(want) {
		for k, g := range got {
			if _, ok := want[k]; !ok {
				c.diff(path+"."+k, "not recorded, got %s", show(g))
			}
		}
	}
}

func (c *comparer) array(path string, want, got []any) {
	if len(want) != len(got) {
		c.diff(path, "recorded %d elements %s, got %d %s", len(want), show(want), len(got), show(got))
		return
	}
	if c.unordered == nil || !c.unordered(path) {
		for i := range want {
			c.value(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
		}
		return
	}
	c.permutation(path, want, got)
}

// show prints a value for a message.
func show(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return clip(strings.ReplaceAll(string(raw), number, ""))
}

// compareBody compares a recorded body with an actual one: byte by byte, and value
// by value where that tells more.
func compareBody(want *Body, got []byte, b *Bindings, unordered func(string) bool) []string {
	if want.Large() {
		return compareLarge(want, got, b)
	}
	text, err := want.Text()
	if err != nil {
		return []string{"body: " + err.Error()}
	}
	var exact error
	if b.try(func() bool { exact = b.Match(text, string(got)); return exact == nil }) {
		return nil
	}
	w, err := decodeTemplate(text)
	if err != nil {
		return []string{"body: " + exact.Error()}
	}
	g, err := decodeJSON(got)
	if err != nil {
		return []string{fmt.Sprintf("body: recorded JSON, got %q", clip(string(got)))}
	}
	c := comparer{b: b, unordered: unordered}
	c.value("body", w, g)
	if c.diffs == nil && !permuted(c, w, g) {
		return []string{otherBytes + exact.Error()}
	}
	return c.diffs
}

const otherBytes = "body: equal values in other bytes: "

// permuted says that the values are equal only because an array may be permuted.
func permuted(c comparer, want, got any) bool {
	strict := comparer{b: c.b}
	strict.value("body", want, got)
	return strict.diffs != nil
}

// idWidths is by how much ids and times may change the size of a text.
const idWidths = 128

// compareLarge compares what was recorded of a large body: its beginning, and its
// hash where no placeholder changes it, else its size. Job ids may have other widths.
func compareLarge(want *Body, got []byte, b *Bindings) []string {
	rest := string(got)
	for _, p := range parse(want.RawPrefix) {
		n, err := b.matchPart(&p, rest)
		if err != nil {
			return []string{"body (beginning): " + err.Error()}
		}
		rest = rest[n:]
	}
	if !placeholderForm.MatchString(want.RawPrefix) {
		if sum := sha256.Sum256(got); len(got) != want.Bytes || hex.EncodeToString(sum[:]) != want.SHA256 {
			return []string{fmt.Sprintf("body: recorded %d bytes with another hash, got %d", want.Bytes, len(got))}
		}
		return nil
	}
	if d := len(got) - want.Bytes; d < -idWidths || d > idWidths {
		return []string{fmt.Sprintf("body: recorded %d bytes, got %d", want.Bytes, len(got))}
	}
	return nil
}

// hopHeaders say how a message travels, not what it says: connections are kept
// alive here, bodies have other lengths, and answers may be chunked.
var hopHeaders = map[string]bool{"Connection": true, "Content-Length": true, "Transfer-Encoding": true, "Date": true}

// compareHeader compares names (with their spelling if exact) and values.
func compareHeader(want, got Header, b *Bindings, exact bool) []string {
	var diffs []string
	fold := func(s string) string {
		if exact {
			return s
		}
		return strings.ToLower(s)
	}
	have := make(map[string][]string, len(got))
	for n, v := range got {
		have[fold(n)] = v
	}
	for _, n := range want.Names() {
		if hopHeaders[textproto.CanonicalMIMEHeaderKey(n)] {
			delete(have, fold(n))
			continue
		}
		g, ok := have[fold(n)]
		delete(have, fold(n))
		if !ok {
			diffs = append(diffs, fmt.Sprintf("header %s: recorded %q, missing", n, clip(strings.Join(want[n], ", "))))
			continue
		}
		if deliberate(n, want[n], g) {
			continue
		}
		if err := b.Match(strings.Join(want[n], ", "), strings.Join(g, ", ")); err != nil {
			diffs = append(diffs, fmt.Sprintf("header %s: %v", n, err))
		}
	}
	for n := range have {
		if !hopHeaders[textproto.CanonicalMIMEHeaderKey(n)] {
			diffs = append(diffs, fmt.Sprintf("header %s: not recorded, got %q", n, clip(strings.Join(have[n], ", "))))
		}
	}
	return diffs
}

// deliberate says that a header differs on purpose: JSON answers say that they are
// JSON where the reference lets the type be guessed as text, and Vary names each
// header once.
func deliberate(name string, want, got []string) bool {
	switch name {
	case "Content-Type":
		return want[0] == "text/plain; charset=utf-8" && got[0] == "application/json"
	case "Vary":
		for _, v := range want {
			if len(got) != 1 || v != got[0] {
				return false
			}
		}
		return true
	}
	return false
}
