package server

import (
	"net/http"
	"strings"
	"testing"

	"ingot/internal/golden"
)

// exchange is a recorded request of the event API's recordings (api/testdata).
type exchange struct {
	File, Note, Method, Path string
	Headers                  map[string]string
	Body                     []byte
	Status                   int
	Text                     string `json:"want_body"`
}

// authMatrix are the requests to every family of APIs without a key, with a wrong one and
// so on.
func authMatrix(t *testing.T) (out []exchange) {
	t.Helper()
	for _, x := range golden.Answers[exchange](t, "../../api/testdata/event-api.jsonl.gz") {
		connect := strings.HasPrefix(x.Path, "/v0/connect/") // comes with Connect
		if x.File == "start" && strings.HasPrefix(x.Note, "auth matrix") && !connect {
			out = append(out, x)
		}
	}
	return out
}

// recordedKey is the signing key of the recorded server.
const recordedKey = "ee1234567800"

// TestGoldenAuthMatrix: who may pass, family by family. The reference leaves GraphQL open.
func TestGoldenAuthMatrix(t *testing.T) {
	cfg := startConfig(t)
	cfg.SigningKey, cfg.FallbackKey = recordedKey, ""
	s := start(t, cfg)
	defer stop(t, s)
	passed, matrix := 0, authMatrix(t)
	for _, x := range matrix {
		var headers []string
		for k, v := range x.Headers {
			headers = append(headers, k, v)
		}
		got := ask(t, x.Method, "http://"+s.Addr()+x.Path, string(x.Body), headers...)
		withKey := strings.Contains(x.Note, "right key") || strings.Contains(x.Note, "hashed key")
		if x.Path == "/v0/gql" && !withKey {
			x.Status, x.Text = http.StatusUnauthorized, "Authentication failed\n"
		}
		if x.Path == "/v1/checkpoint" && withKey {
			x.Status = http.StatusBadRequest // the reference makes a run of an empty request
		}
		if got.status != x.Status || x.Status == http.StatusUnauthorized && got.body != x.Text {
			t.Errorf("%s %s, %s: %d %s, want %d %s", x.Method, x.Path, x.Note, got.status, got.body, x.Status, x.Text)
			continue
		}
		passed++
	}
	t.Logf("golden/event-api start, auth matrix: %d/%d passed", passed, len(matrix))
	if passed < 60 {
		t.Errorf("only %d requests passed", passed)
	}
}
