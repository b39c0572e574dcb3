package api

import (
	"encoding/base64"
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

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	check := newKeyCheck("", "signkey-prod-aa11", "bb22")
	for token, want := range map[string]bool{
		"aa11": true, "bb22": true, "signkey-other-bb22": true, "cc33": false, "": false, "signkey-prod-": false,
		"4493ecb7f5788f1109351cdb05374745be49fdbd51d49e87684c781c52785c12": true,
	} {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.Set("Authorization", "Bearer "+token)
		if got := check.ok(&ctx); got != want {
			t.Errorf("token %q: %v", token, got)
		}
	}
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	check := newKeyCheck("signkey-prod-ee12", "bb22")
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, c := range []struct {
		name, header string
		more         []string
		want         bool
	}{
		{"any user", basic("anna:ee12"), nil, true},
		{"no user", basic(":signkey-prod-ee12"), nil, true},
		{"the fallback", basic("anna:bb22"), nil, true},
		{"the key as user", basic("ee12:"), nil, false},
		{"no colon", basic("ee12"), nil, false},
		{"wrong", basic("anna:ee1"), nil, false},
		{"no base64", "Basic ee12", nil, false},
		{"nothing", "Basic ", nil, false},
		{"own page", basic("a:ee12"), []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://seen.from.outside"}, true},
		{"typed address", basic("a:ee12"), []string{"Sec-Fetch-Site", "none"}, true},
		{"foreign page", basic("a:ee12"), []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"sibling's page", basic("a:ee12"), []string{"Sec-Fetch-Site", "same-site"}, false},
		{"own page without TLS", basic("a:ee12"), []string{"Origin", "http://ingot:8288"}, true},
		{"foreign page without TLS", basic("a:ee12"), []string{"Origin", "http://evil:8288"}, false},
		{"hidden page", basic("a:ee12"), []string{"Origin", "null"}, false},
		{"bearer is nothing that a page could add", "Bearer ee12", []string{"Sec-Fetch-Site", "cross-site"}, true},
	} {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.Set("Authorization", c.header)
		ctx.Request.Header.SetHost("ingot:8288")
		for i := 0; i < len(c.more); i += 2 {
			ctx.Request.Header.Set(c.more[i], c.more[i+1])
		}
		if got := check.ok(&ctx); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestAskForPassword: only a browser that shows a page is asked for a password.
func TestAskForPassword(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{Mode: ModeStart, SigningKey: "ee12", Catalog: testCatalog(t)})
	for accept, want := range map[string]bool{"text/html,*/*": true, "application/json": false, "": false} {
		res := call(s, "GET", "/dev", "", "Accept", accept)
		if asked := len(res.Header.Peek("WWW-Authenticate")) > 0; res.StatusCode() != 401 || asked != want {
			t.Errorf("Accept %q: %d, asked %v", accept, res.StatusCode(), asked)
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
