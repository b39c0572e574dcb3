package transport

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"ingot/transport/wire"
)

func TestPingRequest(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		signature := r.Header.Get("X-Inngest-Signature")
		unix, err := strconv.ParseInt(strings.TrimPrefix(strings.Split(signature, "&")[0], "t="), 10, 64)
		if err != nil || string(wire.NewSigner(key).Append(nil, body, unix)) != signature {
			t.Errorf("signature %q", signature)
		}
		if want := `{"url":"http://` + r.Host + `/api/inngest"}`; string(body) != want || r.Method != http.MethodPut {
			t.Errorf("%s %s, want %s", r.Method, body, want)
		}
		if r.Header.Get("X-Inngest-Server-Kind") != "cloud" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
		sdk(w, 200, `{"message":"Successfully registered","modified":true}`)
	})
	got := Ping(t.Context(), app.URL+"/api/inngest", key, "cloud")
	if got.Error != "" || got.Status != 200 || !got.IsSDK || string(got.Body) != `{"message":"Successfully registered","modified":true}` {
		t.Errorf("got %+v", got)
	}
}

func TestPingResults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		status     int
		body, want string
	}{
		{200, "", ""}, {405, "", ""}, {502, "<html>", ""},
		{401, "", "unauthorized"}, {403, "", "forbidden"}, {404, "", "url_not_found"}, {500, `{"message":"x"}`, "internal_server_error"},
		{400, `{"message":"Your signing key is invalid. Check it."}`, "invalid_signing_key"},
		{400, `{"message":"No functions registered within your app"}`, "no_functions"},
		{400, `{"message":"At least one function is invalid"}`, "invalid_function"},
		{400, `{"message":"You didn't specify your workspace's signing key"}`, "missing_signing_key"},
		{400, `{"message":"No INNGEST_ENV branch name found"}`, "missing_branch_env_name"},
		{400, `{"message":"something else"}`, "something else"},
		{400, `not json`, ""},
		{400, `{"message":"` + sdkVersionDeniedStart + ` with a known…"}`, "sdk_version_denied"},
		{500, `{"code":"sdk_version_denied"}`, "sdk_version_denied"},
	}
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			http.Redirect(w, r, "/0", http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(cases[i].status)
		_, _ = io.WriteString(w, cases[i].body)
	})
	for i, c := range cases {
		got := Ping(t.Context(), app.URL+"/"+strconv.Itoa(i), "", "dev")
		if got.Error != c.want || got.Status != c.status || got.IsSDK {
			t.Errorf("%d %s: %+v, want %q", c.status, c.body, got, c.want)
		}
	}
	if got := Ping(t.Context(), app.URL+"/redirect", "", "dev"); got.Error != "" || got.Status != 200 {
		t.Errorf("redirect: %+v", got)
	}
	for url, want := range map[string]string{"ftp://x": PingUnsupported, "://": PingUnsupported, "http://127.0.0.1:1": PingUnreachable} {
		if got := Ping(t.Context(), url, "", "dev"); got.Error != want {
			t.Errorf("%s: %+v", url, got)
		}
	}
	if got := Ping(t.Context(), app.URL, "", "cloud"); got.Error != PingMissingServerKey {
		t.Errorf("no key: %+v", got)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/inngest" && r.Method == http.MethodGet {
			sdk(w, 200, `{}`)
		}
	})
	h := newDriver(t, Options{})
	for path, want := range map[string]bool{"/api/inngest": true, "/": false} {
		if Probe(t.Context(), app.URL+path) != want || h.Probe(t.Context(), app.URL+path) != want {
			t.Errorf("%s: want %v", path, want)
		}
	}
	if Probe(t.Context(), "http://127.0.0.1:1/") || Probe(t.Context(), "%") {
		t.Error("something answers where nothing is")
	}
}
