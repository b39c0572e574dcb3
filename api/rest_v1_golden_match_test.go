package api_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"ingot/internal/ids"
)

// anything are fields whose values are of the moment, or made in another way here.
var anything = map[string]bool{
	"durationMs": true, "JobID": true, "content_transfer_ms": true, "dns_lookup_ms": true, "server_processing_ms": true,
	"tcp_connection_ms": true, "tls_handshake_ms": true, "total_ms": true, "network_total_ms": true, "queue_delay_ms": true,
	"system_latency_ms": true, "total_inngest_ms": true, "metadata_bytes": true,
}

// unordered are the lists, by note, whose order has to do with ids that depend on the
// app's address (functions), or with chance (runs that began in one moment). Each with the
// path of the field that tells the elements apart.
var unordered = map[string][]string{
	"app functions": {"id"}, "v2 functions": {"id"}, "v2 apps": {"id"}, "v2 runs": {"function", "id"},
}

// same compares a recorded value with one of this server, and binds placeholders.
func (w *world) same(note, path string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, want an object", path, got)
		}
		a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))
		var errs []error
		if !slices.Equal(a, b) {
			errs = append(errs, fmt.Errorf("%s has %v, want %v", path, b, a))
		}
		for _, k := range a { // all of them, for the sake of the placeholders
			if _, ok := got[k]; !ok || anything[k] || k == "id" && strings.HasSuffix(path, ".Raw") {
				continue
			}
			errs = append(errs, w.same(note, path+"."+k, want[k], got[k]))
		}
		return errors.Join(errs...)
	case []any:
		got, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s is %v, want a list", path, got)
		}
		want = known(note, want)
		if key := unordered[note]; key != nil && (path == "" || path == ".data") {
			sortBy(want, key)
			sortBy(got, key)
		}
		if strings.HasSuffix(path, ".children") {
			sortSpans(want)
			sortSpans(got)
		}
		if len(want) != len(got) {
			return fmt.Errorf("%s has %d elements, want %d: %v", path, len(got), len(want), got)
		}
		for i := range want {
			if err := w.same(note, fmt.Sprintf("%s[%d]", path, i), want[i], got[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		return w.sameText(path, want, got)
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		return fmt.Errorf("%s is %v, want %v", path, got, want)
	}
	return nil
}

// known leaves out apps that the recorded server had from other recordings.
func known(note string, list []any) []any {
	if note != "v2 apps" {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v.(map[string]any)["name"] == nil })
}

func sortBy(list []any, key []string) {
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(field(a, key), field(b, key)) })
}

// sortSpans: spans that begin in one moment have no order of their own.
func sortSpans(list []any) {
	key := func(v any) string {
		m, _ := v.(map[string]any)
		return fmt.Sprint(m["name"], m["metadata"] != nil)
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(key(a), key(b)) })
}

func field(v any, key []string) string {
	for _, k := range key {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return fmt.Sprint(v)
}

func (w *world) sameText(path, want string, got any) error {
	text := fmt.Sprint(got)
	want = strings.ReplaceAll(want, "<APP>", w.app)
	switch {
	case strings.HasPrefix(want, "<TIME:"):
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("%s is %q, want a time", path, text)
		}
		return nil
	case want == "<MS>":
		if len(text) != 13 {
			return fmt.Errorf("%s is %s, want unix ms", path, text)
		}
		return nil
	case label.FindString(want) == want && want != "":
		return w.bind(path, want, text)
	case text != want:
		return fmt.Errorf("%s is %q, want %q", path, text, want)
	}
	return nil
}

// bind lets a placeholder stand for one value of its kind.
func (w *world) bind(path, placeholder, text string) error {
	valid := false
	switch placeholder[1:5] {
	case "ULID":
		_, err := ulid.ParseStrict(text)
		valid = err == nil
	case "UUID":
		_, valid = ids.ParseUUID(text)
	case "HEX1":
		valid = len(text) == 16 && strings.Trim(text, "0123456789abcdef") == ""
	}
	if !valid {
		return fmt.Errorf("%s is %q, want %s", path, text, placeholder)
	}
	if is, ok := w.bound[placeholder]; ok && is != text {
		return fmt.Errorf("%s is %q, but %s was %q", path, text, placeholder, is)
	}
	w.bound[placeholder] = text
	return nil
}
