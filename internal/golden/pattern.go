package golden

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// kinds are the placeholders of the recordings and what each stands for.
var kinds = map[string]*regexp.Regexp{
	"ULID":     regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}`),
	"UUID":     regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	"JOBID":    regexp.MustCompile(`^[^"\\\s,]+`),
	"QIREF":    regexp.MustCompile(`^[A-Za-z0-9+/_=-]+`),
	"HEX64":    regexp.MustCompile(`^[0-9a-f]{64}`),
	"HEX32":    regexp.MustCompile(`^[0-9a-f]{32}`),
	"HEX16":    regexp.MustCompile(`^[0-9a-f]{16}`),
	"MS":       regexp.MustCompile(`^[0-9]{13}`),
	"SEC":      regexp.MustCompile(`^[0-9]{10}`),
	"US":       regexp.MustCompile(`^[0-9]{16}`),
	"NS":       regexp.MustCompile(`^[0-9]{19}`),
	"TIME":     regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?`),
	"HTTPDATE": regexp.MustCompile(`^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT`),
	"PATH":     regexp.MustCompile(`^[^"\\\s:)]+`),
	"HOSTNAME": regexp.MustCompile(`^[A-Za-z0-9.-]+`),
	"JWT":      regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`),
	// The ends of the replay: bound before it begins.
	"SERVER": nil, "APP": nil, "APP-DIRECT": nil, "UPSTREAM": nil, "CLOSED": nil,
}

var placeholderForm = regexp.MustCompile(`<(ULID|UUID|JOBID|QIREF|HEX64|HEX32|HEX16|MS|SEC|US|NS|TIME|HTTPDATE|PATH|HOSTNAME|SERVER|APP-DIRECT|APP|UPSTREAM|CLOSED)(:[^<>"\s]*)?>`)

// part is a piece of a template: literal text, or a placeholder.
type part struct {
	text  string // the literal, or the whole placeholder as recorded
	kind  string // empty for a literal
	label string // after the colon
}

// bound says that the same placeholder is the same value throughout a file.
func (p *part) bound() bool {
	return kinds[p.kind] == nil || p.label != "" && p.kind != "TIME" && p.kind != "HEX64"
}

// parse splits a template at its placeholders.
func parse(text string) []part {
	var parts []part
	for text != "" {
		loc := placeholderForm.FindStringSubmatchIndex(text)
		jwt := strings.Index(text, "<JWT ")
		if jwt >= 0 && (loc == nil || jwt < loc[0]) {
			end := strings.Index(text[jwt:], ".<SIG>>")
			if end >= 0 {
				end += jwt + len(".<SIG>>")
				if jwt > 0 {
					parts = append(parts, part{text: text[:jwt]})
				}
				parts = append(parts, part{text: text[jwt:end], kind: "JWT"})
				text = text[end:]
				continue
			}
		}
		if loc == nil {
			return append(parts, part{text: text})
		}
		if loc[0] > 0 {
			parts = append(parts, part{text: text[:loc[0]]})
		}
		p := part{text: text[loc[0]:loc[1]], kind: text[loc[2]:loc[3]]}
		if loc[4] >= 0 {
			p.label = text[loc[4]+1 : loc[5]]
		}
		parts = append(parts, p)
		text = text[loc[1]:]
	}
	return parts
}

// Bindings are the values that labels stand for in one file. Safe for concurrent
// use, but for transactions (see try), which the caller serialises.
type Bindings struct {
	mu      sync.Mutex
	values  map[string]string // placeholder -> value
	names   map[string]string // kind and value -> placeholder
	journal []string
}

// NewBindings returns an empty set.
func NewBindings() *Bindings {
	return &Bindings{values: map[string]string{}, names: map[string]string{}}
}

// Set binds a placeholder, e.g. "<APP>", before a replay.
func (b *Bindings) Set(placeholder, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values[placeholder] = value
}

// Value returns what a placeholder stands for, if that is known.
func (b *Bindings) Value(placeholder string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.values[placeholder]
	return v, ok
}

func (b *Bindings) bind(p *part, value string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := p.kind + "\x00" + value
	if strings.HasPrefix(p.label, "internal-event") {
		key = p.text // the id by which the reference knows it is not the one that it has
	}
	if other, ok := b.names[key]; ok && other != p.text {
		return fmt.Errorf("recorded %s, but %s is %s", p.text, value, other)
	}
	b.values[p.text], b.names[key] = value, p.text
	b.journal = append(b.journal, p.text)
	return nil
}

// try runs f and takes back what it bound unless f succeeds.
func (b *Bindings) try(f func() bool) bool {
	b.mu.Lock()
	mark := len(b.journal)
	b.mu.Unlock()
	if f() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range b.journal[mark:] {
		for key, named := range b.names {
			if named == name {
				delete(b.names, key)
			}
		}
		delete(b.values, name)
	}
	b.journal = b.journal[:mark]
	return false
}

// Match compares text with a template and binds the labels it meets for the first
// time. The error says what was recorded and what came at the first difference.
func (b *Bindings) Match(template, text string) error {
	rest := text
	for _, p := range parse(template) {
		n, err := b.matchPart(&p, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if rest != "" {
		return fmt.Errorf("recorded an end, got %q", clip(rest))
	}
	return nil
}

// matchPart returns how much of text one part takes.
func (b *Bindings) matchPart(p *part, text string) (int, error) {
	if p.kind == "" {
		if !strings.HasPrefix(text, p.text) {
			at := commonPrefix(p.text, text)
			from := max(0, at-20)
			return 0, fmt.Errorf("recorded %q, got %q", clip(p.text[from:]), clip(text[from:]))
		}
		return len(p.text), nil
	}
	if p.bound() {
		if v, ok := b.Value(p.text); ok {
			// The server may write the loopback by its name; the recorder took both for one.
			if byName := strings.Replace(v, "127.0.0.1", "localhost", 1); kinds[p.kind] == nil && strings.HasPrefix(text, byName) {
				return len(byName), nil
			}
			if !strings.HasPrefix(text, v) {
				return 0, fmt.Errorf("recorded %s = %s, got %q", p.text, v, clip(text))
			}
			return len(v), nil
		}
	}
	if kinds[p.kind] == nil {
		return 0, fmt.Errorf("recorded %s, which has no value here", p.text)
	}
	v := kinds[p.kind].FindString(text)
	zone := ""
	if p.kind == "TIME" {
		zone = strings.TrimLeft(p.label, "mns")
	}
	if v == "" || !strings.HasPrefix(text[len(v):], zone) {
		return 0, fmt.Errorf("recorded %s, got %q", clip(p.text), clip(text))
	}
	if p.kind == "JWT" {
		return len(v), b.matchJWT(p.text, v)
	}
	if p.bound() {
		return len(v), b.bind(p, v)
	}
	return len(v) + len(zone), nil
}

// tokenSections returns the header and the claims of a recorded token.
func tokenSections(template string) []string {
	inner := strings.TrimSuffix(strings.TrimPrefix(template, "<JWT "), ".<SIG>>")
	// Inside a JSON string the token's own quotes are escaped.
	inner = strings.ReplaceAll(inner, `\"`, `"`)
	head, claims, ok := strings.Cut(inner, "}.{")
	if !ok {
		return []string{inner}
	}
	return []string{head + "}", "{" + claims}
}

// matchJWT compares the header and the claims of a token.
func (b *Bindings) matchJWT(template, token string) error {
	got := strings.Split(token, ".")
	for i, want := range tokenSections(template) {
		raw, err := base64.RawURLEncoding.DecodeString(got[i])
		if err != nil {
			return fmt.Errorf("token %s: %w", clip(token), err)
		}
		if err := b.Match(want, string(raw)); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	}
	return nil
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// clip shortens text for messages.
func clip(s string) string {
	if len(s) > 90 {
		return s[:87] + "..."
	}
	return s
}
