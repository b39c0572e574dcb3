package transport

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sdk(w, 200, fmt.Sprintf("%q", fmt.Sprintf("%s %s %d %s", r.Method, r.RequestURI, len(body), r.Header.Get("X-Run-Id"))))
	})
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		to := "/final?own=1&fnId=overwritten"
		switch {
		case strings.Contains(r.URL.Path, "host"):
			to = other.URL + "/final?own=1"
		case strings.Contains(r.URL.Path, "none"):
			to = ""
		case strings.Contains(r.URL.Path, "bad"):
			to = "http://[bad"
		case strings.Contains(r.URL.Path, "scheme"):
			to = "gopher://x/"
		case status == 0:
			other.Config.Handler.ServeHTTP(w, r)
			return
		}
		if to != "" {
			w.Header().Set("Location", to)
		}
		w.Header().Set("X-Inngest-Sdk", "x")
		w.WriteHeader(status)
	})
	h := newDriver(t, Options{})
	c := testCall("")
	for path, want := range map[string]string{
		"/301": "GET", "/302": "GET", "/303": "GET", "/307": "POST", "/308": "POST", "/301/host": "GET", "/307/host": "POST",
	} {
		c := *c
		c.URL = app.URL + path + "?fnId=f&a=1"
		res := call(t, h, &c)
		uri := "/final?a=1&fnId=f&own=1&stepId=step"
		got := strings.Trim(string(res.Output), `"`)
		parts := strings.Fields(got)
		if res.Error != "" || len(parts) != 4 || parts[0] != want || parts[1] != uri || parts[2] == "0" || parts[3] != c.Ref.RunID.String() {
			t.Errorf("%s: error %q, arrived as %q, want %s %s", path, res.Error, got, want, uri)
		}
	}
	for path, want := range map[string]string{
		"/300/none":   "invalid status code: 300",
		"/302/none":   "invalid status code: 302",
		"/302/bad":    `error performing request: Post "URL": failed to parse Location header`,
		"/302/scheme": `error performing request: Post "URL": unsupported protocol scheme "gopher"`,
	} {
		c := *c
		c.URL = app.URL + path
		res := call(t, h, &c)
		if want = strings.Replace(want, "URL", c.URL+"?stepId=step", 1); !strings.HasPrefix(res.Error, want) {
			t.Errorf("%s: %q, want %q", path, res.Error, want)
		}
	}
}

func TestRedirectLoop(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		http.Redirect(w, r, "/again", http.StatusPermanentRedirect)
	})
	h := newDriver(t, Options{})
	res := call(t, h, testCall(app.URL))
	if !strings.HasPrefix(res.Error, "error performing request: Post ") || !strings.HasSuffix(res.Error, ": stopped after 60 redirects") {
		t.Errorf("got %q", res.Error)
	}
	if n.Load() != 61 {
		t.Errorf("%d requests were made", n.Load())
	}
}

// A credential in the URL becomes a header, and does not show in the request line.
func TestUserInURL(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		sdk(w, 200, fmt.Sprintf("%q", user+":"+password+r.RequestURI))
	}))
	t.Cleanup(app.Close)
	h := newDriver(t, Options{})
	res := call(t, h, testCall(strings.Replace(app.URL, "http://", "http://ann:s3cret@", 1)+"/a b?x=1 2"))
	if string(res.Output) != `"ann:s3cret/a%20b?stepId=step&x=1+2"` {
		t.Errorf("error %q, output %s", res.Error, res.Output)
	}
}
