package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestKeyCheck(t *testing.T) {
	t.Parallel()
	const (
		key    = "ee1234567800"
		hashed = "b3bc21e0ef11b0e79f82b9ad4ff8df23494f70551041f32717ba6b4d6e08695a"
	)
	for _, c := range []struct {
		configured, header string
		want               bool
	}{
		{key, "Bearer " + key, true},
		{key, "bearer " + key, true},
		{key, "BEARER " + hashed, true},
		{key, "Bearer signkey-prod-" + key, true},
		{"signkey-test-" + key, "Bearer signkey-prod-" + hashed, true},
		{key, "", false},
		{key, key, false},
		{key, "Bearer", false},
		{key, "Bearer ", false},
		{key, "Basic  " + key, false},
		{key, "Bearer " + strings.ToUpper(hashed), false},
		{key, "Bearer " + key[:11], false},
		{"not hex", "Bearer not hex", true},
		{"not hex", "Bearer other", false},
		{"", "", true},
	} {
		check := newKeyCheck(c.configured)
		var ctx fasthttp.RequestCtx
		if c.header != "" {
			ctx.Request.Header.Set("Authorization", c.header)
		}
		if got := check.ok(&ctx); got != c.want {
			t.Errorf("key %q, header %q: %v", c.configured, c.header, got)
		}
	}
}

func TestSignedRoutes(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{Mode: ModeStart, SigningKey: "ee12", Catalog: testCatalog(t)})
	for _, method := range []string{"GET", "POST"} {
		if res := call(s, method, "/dev", ""); res.StatusCode() != 401 || string(res.Body()) != authFailedText {
			t.Errorf("%s /dev: %d %q", method, res.StatusCode(), res.Body())
		}
	}
	if res := call(s, "GET", "/dev", "", "Authorization", "Bearer ee12"); res.StatusCode() != 404 {
		t.Errorf("with the key: %d", res.StatusCode())
	}
	if res := call(s, "POST", "/dev", "", "Authorization", "Bearer ee12"); res.StatusCode() != 405 {
		t.Errorf("POST with the key: %d", res.StatusCode())
	}
}
