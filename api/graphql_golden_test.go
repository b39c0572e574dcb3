package api_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/internal/golden"
)

// graphqlDifferences are the answers, by note, in which this server differs on purpose. Each
// must really differ, so that the list cannot outlive its reasons.
var graphqlDifferences = map[string]string{
	"eventsV2 internal":               "an event about a run's end is made only if a function or a wait listens to it",
	"stream internal":                 "likewise; and the reference leaves out events with an id of their own",
	"runs ENDED_AT asc":               "runs that have not ended have no time of their end, and are not listed by it",
	"runs first:1":                    "runs whose events came in one moment are listed in the order of their events",
	"runs first:1 after":              "likewise",
	"runs CEL output.done == true":    "lists tell the event's name also if outputs are searched",
	"runs CEL error.message == 'bad'": "likewise",
	"createApp reachable":             "the app of this test answers pings with 500, the recorded one with 404",
}

// TestGoldenGraphQL plays the recorded GraphQL requests against a whole server that holds
// what the recorded one held.
func TestGoldenGraphQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate()
	p := &graphqlPlay{w: w, b: golden.NewBindings()}
	p.b.Set("<APP>", w.app)
	passed, differing, all := 0, 0, golden.Answers[recorded](t, "gql/testdata/queries.jsonl.gz")
	for i := range all {
		x := &all[i]
		err := p.play(x)
		why, expected := graphqlDifferences[x.Note]
		switch {
		case err == nil && expected:
			t.Errorf("%s: passes, but is listed as a deliberate difference: %s", x.Note, why)
		case err == nil:
			passed++
		case expected:
			differing++
			t.Logf("%s differs: %s", x.Note, why)
		default:
			t.Errorf("%s: %v", x.Note, err)
		}
	}
	t.Logf("golden/graphql: %d/%d passed, %d deliberate differences", passed, len(all), differing)
	if len(all) != 78 {
		t.Errorf("%d answers are recorded", len(all))
	}
}

// graphqlPlay plays recordings against a world.
type graphqlPlay struct {
	w *world
	b *golden.Bindings
	// cursor is the last one that an answer had.
	cursor string
}

// encoded is an id or a cursor: base64 of JSON, which a recording shows decoded.
var encoded = regexp.MustCompile(`<B64JSON (\{.*?\})>("|$)`)

// play sends a recorded request and compares the answer.
func (p *graphqlPlay) play(x *recorded) error {
	from := p.w.began.Add(-time.Minute)
	body := encoded.ReplaceAllStringFunc(x.Body, func(s string) string {
		m := encoded.FindStringSubmatch(s)
		plain := p.b.Expand(strings.ReplaceAll(m[1], `\"`, `"`), from)
		return base64.StdEncoding.EncodeToString([]byte(plain)) + m[2]
	})
	body = strings.ReplaceAll(body, "<B64JSON>", p.cursor)
	req, err := http.NewRequest(x.Method, "http://"+p.w.addr+x.Path, strings.NewReader(p.b.Expand(body, from)))
	if err != nil {
		return err
	}
	for k, v := range x.Headers {
		req.Header.Set(k, v)
	}
	res, err := p.w.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != x.Status {
		return fmt.Errorf("status %d, want %d; body %.300s", res.StatusCode, x.Status, text)
	}
	for k, v := range x.Want {
		if got := res.Header.Get(k); got != v {
			return fmt.Errorf("header %s %q, want %q", k, got, v)
		}
	}
	want, err := parseTree(x.Text)
	if err != nil {
		return fmt.Errorf("the recording: %w", err)
	}
	got, err := parseTree(string(text))
	if err != nil {
		return fmt.Errorf("body %.300q: %w", text, err)
	}
	return p.same("", want, got)
}

// same compares a recorded value with one of this server.
func (p *graphqlPlay) same(path string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, want an object", path, got)
		}
		var errs []error
		if a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) {
			errs = append(errs, fmt.Errorf("%s has %v, want %v", path, b, a))
		}
		for _, k := range slices.Sorted(maps.Keys(want)) { // all of them, for the sake of the placeholders
			g, ok := got[k]
			if cursor, is := g.(string); is && k == "endCursor" {
				p.cursor = cursor
			}
			if ok && !ofTheMoment[k] {
				errs = append(errs, p.same(path+"."+k, want[k], g))
			}
		}
		return errors.Join(errs...)
	case []any:
		got, ok := got.([]any)
		if !ok || len(want) != len(got) {
			return fmt.Errorf("%s is %v, want %d elements", path, got, len(want))
		}
		if key := orderKeys[path[strings.LastIndexByte(path, '.')+1:]]; key != nil {
			want, got = ordered(want, key), ordered(got, key)
		}
		var errs []error
		for i := range want {
			errs = append(errs, p.same(fmt.Sprintf("%s[%d]", path, i), want[i], got[i]))
		}
		return errors.Join(errs...)
	case string:
		text, ok := got.(string)
		if !ok {
			return fmt.Errorf("%s is %v, want %q", path, got, want)
		}
		return p.text(path, want, text)
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		return fmt.Errorf("%s is %v, want %v", path, got, want)
	}
	return nil
}

// ofTheMoment are fields whose values depend on the clock or on what exactly the app sends.
var ofTheMoment = map[string]bool{"duration": true, "durationMS": true, "checksum": true, "sizeBytes": true}

// orderKeys are the lists whose order has to do with ids that depend on the app's address,
// or with chance (runs and spans that began in one moment), with the fields by which their
// elements are told apart.
var orderKeys = map[string][]string{
	"apps": {"externalID"}, "functions": {"slug"}, "childrenSpans": {"name", "metadata", "outputID"}, "edges": {"node", "name", "eventName", "status"},
}

func ordered(list []any, keys []string) []any {
	key := func(v any) string {
		m, _ := v.(map[string]any)
		if node, ok := m["node"].(map[string]any); ok {
			m = node
		}
		var out string
		for _, k := range keys {
			switch f := m[k].(type) {
			case string:
				if k == "outputID" {
					f = "some"
				}
				out += f + "\x00"
			case []any:
				out += fmt.Sprint(len(f) > 0, "\x00")
			}
		}
		return out
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(key(a), key(b)) })
	return list
}

// text compares a string, decoded where the recording shows it decoded.
func (p *graphqlPlay) text(path, want, got string) error {
	plain, isEncoded := strings.CutPrefix(want, "<B64JSON")
	if !isEncoded {
		if err := p.b.Match(want, got); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(got)
	if err != nil {
		return fmt.Errorf("%s is %q: %w", path, got, err)
	}
	if plain = strings.Trim(plain, " "); plain == ">" {
		return nil
	}
	var a, b map[string]any
	if err := json.Unmarshal([]byte(bareNumbers.ReplaceAllString(strings.TrimSuffix(plain, ">"), `:"$1"`)), &a); err != nil {
		return fmt.Errorf("the recording: %s: %w", plain, err)
	}
	if err := json.Unmarshal(bareTimes.ReplaceAll(decoded, []byte(`:"$1"`)), &b); err != nil {
		return fmt.Errorf("%s is %q: %w", path, decoded, err)
	}
	if a["sid"] != nil {
		delete(a, "rid") // of the legacy tree the reference does not tell the run
		delete(b, "rid")
	}
	return p.same(path, a, b)
}

var (
	bareNumbers = regexp.MustCompile(`:(<(?:MS|US)>)`)
	bareTimes   = regexp.MustCompile(`:(\d{13,16})\b`)
)
