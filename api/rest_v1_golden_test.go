package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/internal/golden"
)

// recorded is one request to the reference with its answer.
type recorded struct {
	Note    string            `json:"note"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Status  int               `json:"status"`
	Want    map[string]string `json:"want_headers"`
	Text    string            `json:"want_body"`
}

// restDifferences are the answers, by note, in which this server differs on purpose. Each
// must really differ, so that the list cannot outlive its reasons.
var restDifferences = map[string]string{
	"cancellations":    "GET /v1/cancellations lists bulk cancellations; in the reference they do not work (500)",
	"v2 function runs": "the path takes a function's full slug here too, as that of the function itself does; the reference finds nothing",
}

// TestGoldenREST plays the recorded requests of REST v1 and v2 against a whole server
// that holds what the recorded one held.
func TestGoldenREST(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate()
	passed, differing, all := 0, 0, golden.Answers[recorded](t, "testdata/rest.jsonl.gz")
	for i := range all {
		x := &all[i]
		err := w.play(x)
		why, expected := restDifferences[x.Note]
		switch {
		case err == nil && expected:
			t.Errorf("%s: passes, but is listed as a deliberate difference: %s", x.Note, why)
		case err == nil:
			passed++
		case expected:
			differing++
		default:
			t.Errorf("%s: %s %s: %v", x.Note, x.Method, x.Path, err)
		}
	}
	t.Logf("golden/rest: %d/%d passed, %d deliberate differences", passed, len(all), differing)
	if len(all) != 77 {
		t.Errorf("%d answers are recorded", len(all))
	}
}

var (
	label  = regexp.MustCompile(`<(?:ULID|UUID|HEX16):[^>]*>`)
	number = regexp.MustCompile(`([:\[,])(<(?:MS|SEC|US|NS)>)`)
)

// play sends a recorded request and compares the answer.
func (w *world) play(x *recorded) error {
	path := label.ReplaceAllStringFunc(x.Path, func(l string) string { return w.bound[l] })
	if q := strings.Index(path, "?received_"); q >= 0 && !strings.HasSuffix(path, "zzz") {
		name, _, _ := strings.Cut(path, "=")
		path = name + "=" + url.QueryEscape(w.began.Format(time.RFC3339Nano))
	}
	req, err := http.NewRequest(x.Method, "http://"+w.addr+path, strings.NewReader(strings.ReplaceAll(x.Body, "<APP>", w.app)))
	if err != nil {
		return err
	}
	for k, v := range x.Headers {
		req.Header.Set(k, v)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != x.Status {
		return fmt.Errorf("status %d, want %d; body %.300s", res.StatusCode, x.Status, body)
	}
	if err := sameHeaders(res.Header, x.Want); err != nil {
		return err
	}
	want, err := parseTree(number.ReplaceAllString(x.Text, `$1"$2"`))
	if err != nil {
		return fmt.Errorf("the recording: %w", err)
	}
	got, err := parseTree(string(body))
	if err != nil {
		return fmt.Errorf("body %.300q: %w", body, err)
	}
	if ending := strings.HasSuffix(x.Text, "\n"); ending != strings.HasSuffix(string(body), "\n") {
		return fmt.Errorf("the final newline differs: %.300q", body)
	}
	if err := w.same(x.Note, "", want, got); err != nil {
		return fmt.Errorf("%w; body %.3000s", err, body)
	}
	return nil
}

func sameHeaders(got http.Header, want map[string]string) error {
	for k, v := range want {
		switch is := got.Get(k); {
		case k == "Cache-Control":
			// Answers are not kept anywhere, since they could be old.
			if is != "private, max-age=0" {
				return fmt.Errorf("header %s %q", k, is)
			}
		case k == "Content-Type" && strings.HasPrefix(v, "text/plain") && is == "application/json":
			// the reference lets Go guess, and for what it has kept it always does
		case k == "Allow":
			if !slices.Contains(strings.Split(is, ", "), v) {
				return fmt.Errorf("header %s %q, want %q", k, is, v)
			}
		case is != v:
			return fmt.Errorf("header %s %q, want %q", k, is, v)
		}
	}
	return nil
}

// parseTree reads JSON; text that is none is itself.
func parseTree(text string) (any, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
