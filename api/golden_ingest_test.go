package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ingot/engine/event"
	"ingot/internal/golden"
)

// exchange is one recorded request with the reference's answer.
type exchange struct {
	File    string              `json:"file"`
	Seq     int                 `json:"seq"`
	Note    string              `json:"note"`
	Method  string              `json:"method"`
	Path    string              `json:"path"`
	Headers map[string]string   `json:"headers"`
	Body    []byte              `json:"body"`
	Status  int                 `json:"status"`
	Want    map[string][]string `json:"want_headers"`
	Text    string              `json:"want_body"`
	Prefix  string              `json:"want_prefix"`
}

func (x *exchange) String() string { return fmt.Sprintf("%s #%d %s", x.File, x.Seq, x.Note) }

// deliberate are the exchanges, by note, in which this server differs on purpose.
// Each must really differ, so that the list cannot outlive its reasons.
var deliberate = map[string]string{
	"no key in path /e":                      "an unknown path answers 404 to a POST; a 200 would look like an accepted event",
	"no key in path /e/":                     "likewise, where the reference redirects",
	"POST /nope":                             "likewise",
	"extra path /e/test/x":                   "likewise",
	"gzip body with Content-Encoding":        "compressed request bodies are understood",
	"stored events: ea/ok1":                  "events before a syntax error in an array are always accepted; in the reference that is a race",
	"invalid JSON in array, second item bad": "the ids of the events accepted before a syntax error are reported",
}

// ours reports whether this test's routes answer the request of x.
func ours(x *exchange) bool {
	p, _, _ := strings.Cut(x.Path, "?")
	for _, prefix := range []string{"/e/", "/invoke/"} {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"/e", "/health", "/ready", "/dev"}, p) || x.File == "ops" && !slices.Contains(later, p)
}

// later are the recorded paths that come with other parts of the project, or are
// tested with theirs.
var later = []string{"/metrics", "/v0", "/v0/", "/debug/pprof/", "/v0/connect/start", "/mcp", "/dev/traces"}

const storedEvents = "/v1/events?limit=50&name="

func TestGoldenEventAPI(t *testing.T) {
	t.Parallel()
	exchanges := golden.Answers[exchange](t, "testdata/event-api.jsonl.gz")
	for _, mode := range []struct {
		file    string
		atLeast int
		opts    Options
	}{
		{"dev", 110, Options{Mode: ModeDev, Version: "dev-"}},
		{"ops", 18, Options{Mode: ModeDev, Version: "dev-"}},
		{"start", 135, Options{Mode: ModeStart, EventKeys: []string{"eventkey01", "eventkey02"}, SigningKey: "ee1234567800"}},
	} {
		t.Run(mode.file, func(t *testing.T) {
			t.Parallel()
			r := replay{t: t, log: &memLog{}, ids: map[string]string{}}
			mode.opts.Catalog = testCatalog(t)
			mode.opts.Log, mode.opts.Engine = r.log, &logEngine{log: r.log}
			r.client = serve(t, NewServer(mode.opts))
			for i := range exchanges {
				x := &exchanges[i]
				switch {
				case x.File != mode.file:
				case strings.HasPrefix(x.Path, storedEvents):
					r.verdict(x, r.stored(x))
				case ours(x):
					r.verdict(x, r.answer(x))
				default:
					r.elsewhere++
				}
			}
			t.Logf("golden/event-api %s: %d/%d passed, %d deliberate differences, %d of other surfaces",
				mode.file, r.passed, r.passed+r.failed+r.differs, r.differs, r.elsewhere)
			if r.passed < mode.atLeast {
				t.Errorf("only %d exchanges passed", r.passed)
			}
		})
	}
}

// replay plays the exchanges of one file.
type replay struct {
	t      *testing.T
	client *http.Client
	log    *memLog
	// ids are the values of the placeholders seen so far.
	ids                                map[string]string
	passed, failed, differs, elsewhere int
}

func (r *replay) verdict(x *exchange, err error) {
	why, expected := deliberate[x.Note]
	switch {
	case err == nil && expected:
		r.failed++
		r.t.Errorf("%v: passes, but is listed as a deliberate difference: %s", x, why)
	case err == nil:
		r.passed++
	case expected:
		r.differs++
	default:
		r.failed++
		r.t.Errorf("%v: %v", x, err)
	}
}

// answer sends the request and compares status, headers and body.
func (r *replay) answer(x *exchange) error {
	req, err := http.NewRequest(x.Method, "http://ingot"+x.Path, bytes.NewReader(x.Body))
	if err != nil {
		return err
	}
	for k, v := range x.Headers {
		req.Header.Set(k, v)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != x.Status {
		return fmt.Errorf("status %d, want %d; body %.200q", res.StatusCode, x.Status, body)
	}
	for k, want := range x.Want {
		got := res.Header.Values(k)
		if k == "Content-Type" && want[0] == contentTypeText && len(got) == 1 && got[0] == contentTypeJSON {
			continue // the reference lets Go guess; both are documented as safe
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("header %s %q, want %q", k, got, want)
		}
	}
	if x.Path == "/dev" && x.Status == http.StatusOK {
		return nil // compared as a whole in TestDev
	}
	if x.File == "ops" && x.Status == http.StatusOK && x.Text == "" {
		return nil // a page of the web UI, which the recorded server did not have
	}
	return r.match(x, string(body))
}

var placeholder = regexp.MustCompile(`<ULID:\d+>`)

// match compares body with the recorded one, binding placeholders to values.
func (r *replay) match(x *exchange, body string) error {
	if x.Prefix != "" {
		// A long answer, recorded by its beginning: that of the request with too many
		// events. Its length shows that the reference, which accepts them
		// concurrently, missed the last of the accepted ids.
		want := fmt.Sprintf(`],"status":400,"error":%q}`+"\n", event.ErrTooMany)
		if !strings.HasSuffix(body, want) || strings.Count(body, ",") != event.MaxEvents+1 {
			return fmt.Errorf("body of %d bytes ends with %q", len(body), body[max(0, len(body)-100):])
		}
		return nil
	}
	labels := placeholder.FindAllString(x.Text, -1)
	pattern := "^" + placeholder.ReplaceAllString(regexp.QuoteMeta(x.Text), "([0-9A-HJKMNP-TV-Z]{26})") + "$"
	m := regexp.MustCompile(pattern).FindStringSubmatch(body)
	if m == nil {
		return fmt.Errorf("body %.300q, want %.300q", body, x.Text)
	}
	for i, label := range labels {
		if known, ok := r.ids[label]; ok && known != m[i+1] {
			return fmt.Errorf("%s is %s, was %s", label, m[i+1], known)
		}
		r.ids[label] = m[i+1]
	}
	return nil
}

// stored compares the events that the reference has stored under a name with
// those that went to the log.
func (r *replay) stored(x *exchange) error {
	name, err := url.QueryUnescape(strings.TrimPrefix(x.Path, storedEvents))
	if err != nil {
		return err
	}
	var want struct {
		Data []struct {
			InternalID string         `json:"internal_id"`
			ID         string         `json:"id"`
			Name       string         `json:"name"`
			Data       map[string]any `json:"data"`
			User       map[string]any `json:"user"`
			V          string         `json:"v"`
		} `json:"data"`
	}
	text := strings.NewReplacer("<MS>", "0").Replace(placeholder.ReplaceAllStringFunc(x.Text, func(l string) string { return r.ids[l] }))
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		return err
	}
	var got []event.Event
	for _, e := range r.log.events(r.t) {
		if string(e.Name) == name && !strings.HasPrefix(name, event.InternalPrefix) {
			got = append(got, e)
		}
	}
	if len(got) != len(want.Data) {
		return fmt.Errorf("%d events in the log, want %d", len(got), len(want.Data))
	}
	for _, w := range want.Data {
		// By id, since the reference does not keep the order within a request. The
		// same seed gives the same id twice, to equal events.
		i := slices.IndexFunc(got, func(e event.Event) bool { return e.InternalID.String() == w.InternalID })
		if i < 0 {
			return fmt.Errorf("no event %s in the log", w.InternalID)
		}
		m := eventMap(r.t, &got[i])
		if w.Data == nil {
			w.Data = map[string]any{}
		}
		if w.User == nil {
			w.User = map[string]any{}
		}
		if m["id"] != w.ID || string(got[i].V) != w.V {
			return fmt.Errorf("event %d: %v, want %+v", i, m, w)
		}
		if !reflect.DeepEqual(m["data"], w.Data) || !reflect.DeepEqual(m["user"], w.User) {
			return fmt.Errorf("event %d: data %v user %v, want %v %v", i, m["data"], m["user"], w.Data, w.User)
		}
	}
	return nil
}
