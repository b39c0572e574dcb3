package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/golden"

	"github.com/oklog/ulid/v2"
)

// sdkCallRecord is one recorded request of an SDK or a tool with the reference's answer.
type sdkCallRecord struct {
	File        string            `json:"file"`
	Seq         int               `json:"seq"`
	Note        string            `json:"note"`
	Method      string            `json:"method"`
	Path        string            `json:"path"`
	Headers     map[string]string `json:"headers"`
	Body        string            `json:"body"`
	Status      int               `json:"status"`
	Want        string            `json:"want"`
	ContentType string            `json:"content_type"`
}

// differ are the recordings in which this server differs on purpose. Each must
// really differ, so that the list cannot outlive its reasons.
var differ = map[string]string{
	"use-api-small/6":    "the steps are in the order of the stack, which SDKs need; the reference sorts them",
	"v4-endpoint/17":     "likewise",
	"event-api-start/69": "a run without an id, a domain and a method could never go on: 400",
	"event-api-start/70": "likewise",
}

// goldenEngine answers the recorded calls as an engine in the recorded state would.
func goldenEngine(c *sdkCallRecord, runs map[string]string) *fakeEngine {
	e := &fakeEngine{state: &engine.RunState{}, signalRun: map[string]ulid.ULID{}}
	key := fmt.Sprintf("%s/%d", c.File, c.Seq)
	step := func(id, memo string) engine.Step { return engine.Step{ID: id, Memo: []byte(memo)} }
	switch key {
	case "cancel-rest/5", "cancel-rest/10":
		e.err = engine.ErrRunEnded
	case "state-over-request-limit/6":
		e.state.Events = [][]byte{[]byte(`{"data":{},"id":"` + runs["<ULID:event1>"] + `","name":"state-over-request-limit/a","ts":1754300000000,"user":{}}`)}
	case "use-api-small/6":
		e.state.Steps = []engine.Step{
			step("fe05bcdcdc4928012781a5f1a2a77cbb5398e106", `{"data":{"a":1}}`),
			step("ad782ecdac770fc6eb9a62e44f90873fb97fb26b", `{"data":"t"}`),
			step("395df8f7c51f007019cb30201c49e884b46b92fa", `null`),
		}
	case "use-api-small/7":
		e.state.Events = [][]byte{[]byte(`{"data":{"q":1},"id":"` + runs["<ULID:event1>"] + `","name":"use-api-small/a","ts":1754300000000,"user":{"u":1}}`)}
	case "v4-endpoint/16":
		e.state.Events = [][]byte{[]byte(`{"data":{"body":"","content_type":"","domain":"http://app.example","fn":"","ip":"","method":"GET","path":"/endpoint",` +
			`"query_params":"sleep=1"},"id":"` + runs["<ULID:4>"] + `","name":"inngest/http.request","ts":1754300000000,"user":{}}`)}
	case "v4-endpoint/17":
		e.state.Steps = []engine.Step{
			step("4401333540ebb4b759ec099f59c4470ff44e3522", `{"data":{"a":1}}`),
			step("1e1c82a6fdf43a84e189fa3e73ce7bda0b0e5a20", `{"data":2}`),
			step("5c142e3b5e5f546562a59add46b21ed3468ec737", `null`),
		}
	case "signal-match/4":
		e.signalRun["golden-sig-1"] = ulid.MustParse(runs["<ULID:run1>"])
	case "signal-conflict-replace/5":
		var in struct{ Signal string }
		_ = json.Unmarshal([]byte(c.Body), &in)
		e.signalRun[in.Signal] = ulid.MustParse(runs["<ULID:run2>"])
	}
	if strings.Contains(c.Path, otherRun) || c.File == "use-api-small" && c.Seq >= 8 {
		e.err = engine.ErrRunNotFound
	}
	return e
}

// TestGoldenSDKCalls replays what SDKs and tools asked of the reference, and
// compares status and body.
func TestGoldenSDKCalls(t *testing.T) {
	t.Parallel()
	total, same := 0, 0
	for _, c := range golden.Answers[sdkCallRecord](t, "testdata/sdk-calls.jsonl.gz") {
		total++
		diff := replaySDKCall(t, &c)
		key := fmt.Sprintf("%s/%d", c.File, c.Seq)
		reason, deliberate := differ[key]
		switch {
		case diff == "" && deliberate:
			t.Errorf("%s is listed as different (%s) but is not", key, reason)
		case diff == "":
			same++
		case deliberate:
			t.Logf("%s: %s: %s", key, reason, diff)
		default:
			t.Errorf("%s %s %s %s: %s", key, c.Note, c.Method, c.Path, diff)
		}
	}
	if total == 0 {
		t.Fatal("there are no recordings")
	}
	t.Logf("%d of %d recorded calls are answered as by the reference, %d differ on purpose", same, total, len(differ))
}

func replaySDKCall(t *testing.T, c *sdkCallRecord) string {
	t.Helper()
	ids := map[string]string{}
	for _, label := range recordedMark.FindAllString(c.Path+c.Body+c.Want, -1) {
		if strings.HasPrefix(label, "<ULID:") && ids[label] == "" {
			ids[label] = ulid.Make().String()
		}
	}
	fill := func(s string) string {
		return recordedMark.ReplaceAllStringFunc(s, func(p string) string {
			switch {
			case ids[p] != "":
				return ids[p]
			case strings.HasPrefix(p, "<UUID:"):
				return "6ba7b812-9dad-11d1-80b4-00c04fd430c8"
			case p == "<APP>":
				return "app.example"
			case strings.HasPrefix(p, "<QIREF"):
				return "MTU3OTA4NDMyNjUxMDkyMzg0NzY6OmRlZmF1bHQ="
			}
			return "1754300000000"
		})
	}
	o := Options{Mode: ModeDev, Catalog: testCatalog(t)}
	if c.File == "event-api-start" {
		o.Mode, o.SigningKey = ModeStart, "ee1234567800"
	}
	o.Engine = goldenEngine(c, ids)
	var headers []string
	for k, v := range c.Headers {
		headers = append(headers, k, v)
	}
	r := sdkCall(NewServer(o), c.Method, fill(c.Path), fill(c.Body), headers...)
	if r.StatusCode() != c.Status {
		return fmt.Sprintf("status %d, want %d: %s", r.StatusCode(), c.Status, r.Body())
	}
	if got := showTokens(string(r.Body())); !pattern(c.Want, c.Path+c.Body, ids).MatchString(got) {
		return fmt.Sprintf("body %q, want %q", got, c.Want)
	}
	return ""
}

var (
	recordedMark = regexp.MustCompile(`<(?:ULID|UUID|QIREF|TIME):[^<>]*>|<(?:MS|NS|SEC|SIG|APP)>`)
	// A token in a response. The payload is a JSON object, whose base64 begins so.
	compactToken = regexp.MustCompile(`eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]+`)
)

// showTokens writes tokens as the recordings do.
func showTokens(body string) string {
	return compactToken.ReplaceAllStringFunc(body, func(token string) string {
		part := strings.Split(token, ".")
		header, _ := base64.RawURLEncoding.DecodeString(part[0])
		payload, _ := base64.RawURLEncoding.DecodeString(part[1])
		return "<JWT " + string(header) + "." + string(payload) + ".<SIG>>"
	})
}

// pattern makes an expression of a recorded body. asked is the request that led to it.
func pattern(want, asked string, ids map[string]string) *regexp.Regexp {
	var b strings.Builder
	b.WriteByte('^')
	rest := 0
	for _, at := range recordedMark.FindAllStringIndex(want, -1) {
		b.WriteString(regexp.QuoteMeta(want[rest:at[0]]))
		rest = at[1]
		switch p := want[at[0]:at[1]]; {
		case strings.HasPrefix(p, "<ULID:") && strings.Contains(asked, p), p == "<ULID:event1>":
			b.WriteString(ids[p]) // what the request or the engine named
		case strings.HasPrefix(p, "<ULID:"):
			b.WriteString("[0-9A-HJKMNP-TV-Z]{26}")
		case strings.HasPrefix(p, "<UUID:"):
			b.WriteString("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
		case strings.HasPrefix(p, "<TIME:"):
			b.WriteString(`\d{4}-\d\d-\d\dT[\d:.]+Z`)
		case p == "<SIG>":
			b.WriteString("<SIG>")
		case p == "<APP>":
			b.WriteString(`app\.example`)
		default:
			b.WriteString(`\d+`)
		}
	}
	b.WriteString(regexp.QuoteMeta(want[rest:]) + "$")
	return regexp.MustCompile(b.String())
}
