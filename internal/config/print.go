package config

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is one effective value.
type Setting struct {
	Key   string
	Value any // string, int, bool or []string
	// Source is "flag --x", "env X", "file PATH" or "default".
	Source string
}

// redacted stands for a secret value.
const redacted = "(redacted)"

// sorted are the settings found, in the table's order.
func (r *resolver) sorted() []Setting {
	place := map[string]int{}
	for i, s := range settings {
		place[s.key] = i
	}
	slices.SortFunc(r.found, func(a, b Setting) int { return cmp.Compare(place[a.Key], place[b.Key]) })
	return r.found
}

// Print writes settings as YAML, each with its source. Secrets and passwords are
// not shown.
func Print(w io.Writer, list []Setting) error {
	doc := yaml.Node{Kind: yaml.MappingNode}
	for _, s := range list {
		var key, value yaml.Node
		key.SetString(s.Key)
		if err := value.Encode(shown(s)); err != nil {
			return fmt.Errorf("printing %s: %w", s.Key, err)
		}
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
		value.LineComment = s.Source
		doc.Content = append(doc.Content, &key, &value)
	}
	text, err := yaml.Marshal(&doc)
	if err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}

// shown is a setting's value without what must not be seen.
func shown(s Setting) any {
	known := byKey[s.Key]
	secret := known != nil && known.secret
	switch v := s.Value.(type) {
	case string:
		return mask(v, secret)
	case []string:
		out := make([]string, len(v))
		for i, e := range v {
			out[i] = mask(e, secret)
		}
		return out
	}
	return s.Value
}

func mask(v string, secret bool) string {
	switch {
	case v == "":
		return v
	case secret:
		return redacted
	case strings.Contains(v, "://"):
		return MaskURL(v)
	}
	return v
}

// MaskURL hides the passwords of a URL, and all of what cannot be read as one.
func MaskURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	if q := u.Query(); q.Has("password") || q.Has("sslpassword") {
		for _, name := range []string{"password", "sslpassword"} {
			if q.Has(name) {
				q.Set(name, "xxxxx")
			}
		}
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}
