package api

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// limitEngine records limits; other methods are not called.
type limitEngine struct {
	engine.API
	steps, state map[ids.UUID]int
	err          error
}

func (e *limitEngine) SetStepLimit(_ context.Context, fn [16]byte, limit int) error {
	e.steps[fn] = limit
	return e.err
}

func (e *limitEngine) SetStateLimit(_ context.Context, fn [16]byte, limit int) error {
	e.state[fn] = limit
	return e.err
}

func TestLimitOverrides(t *testing.T) {
	t.Parallel()
	_, c := newRegisterServer(t)
	eng := &limitEngine{steps: map[ids.UUID]int{}, state: map[ids.UUID]int{}}
	s := NewServer(Options{Catalog: c, Engine: eng})
	if status, answer := callRegister(s, "POST", "/fn/register", nil, appBody(appURL, "shop", "a")); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	id := c.Snapshot().Active[0].ID
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	unknown := ids.NewUUID().String()
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/fn/step-limit", "functionId=" + id.String() + "&limit=7", 200, ""},
		{"POST", "/fn/state-size-limit?functionId=" + id.String() + "&limit=9", "", 200, ""},
		{"POST", "/fn/step-limit", "functionId=" + id.String() + "&limit=x", 400, "Invalid limit: x"},
		{"POST", "/fn/step-limit", "functionId=" + id.String(), 400, "Invalid limit: "},
		{"POST", "/fn/step-limit", "functionId=" + id.String() + "&limit=0", 400, "Invalid limit: 0"},
		{"POST", "/fn/step-limit", "functionId=zzz&limit=1", 400, "Invalid function ID: zzz"},
		{"POST", "/fn/step-limit", "functionId=" + unknown + "&limit=1", 404, "Function not found: " + unknown},
		{"DELETE", "/fn/step-limit?functionId=zzz", "", 400, "Invalid function ID: zzz"},
		{"DELETE", "/fn/step-limit?functionId=" + unknown, "", 404, "No step limit set for function: " + unknown},
		{"DELETE", "/fn/state-size-limit?functionId=" + unknown, "", 404, "No state size limit set for function: " + unknown},
		{"DELETE", "/fn/step-limit?functionId=" + id.String(), "", 200, ""},
		{"DELETE", "/fn/step-limit?functionId=" + id.String(), "", 404, "No step limit set for function: " + id.String()},
	}
	for _, tt := range tests {
		status, answer := callRegister(s, tt.method, tt.path, form, tt.body)
		if status != tt.status || tt.want == "" && answer != "" || !strings.Contains(answer, tt.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", tt.method, tt.path, tt.body, status, answer, tt.status, tt.want)
		}
	}
	if eng.steps[id] != 0 || eng.state[id] != 9 {
		t.Errorf("limits %v %v", eng.steps, eng.state)
	}
	eng.err = errors.New("busy")
	if status, answer := callRegister(s, "POST", "/fn/step-limit", form, "functionId="+id.String()+"&limit=7"); status != 500 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestRegisterEdges(t *testing.T) {
	t.Parallel()
	s, c := newRegisterServer(t)
	good := appBody(appURL, "shop", "a")
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"more than one value", good + "{", 200, `{"ok":true,"modified":true`},
		{"keys in another case", strings.NewReplacer(`"appName"`, `"APPNAME"`, `"triggers"`, `"Triggers"`).Replace(good), 200, `"modified":false`},
		{"too deep", strings.Repeat("[", 100_000), 400, "Invalid request: "},
		{"deep within", `{"appName":"x","capabilities":` + strings.Repeat("[", 20_000), 400, "Invalid request: "},
		{"wrong types", `{"appName":5}`, 400, "Invalid request: json: cannot unmarshal number into Go struct field RegisterRequest.appName of type string"},
		{"not UTF-8", "{\"appName\":\"\xff\",\"url\":\"\xfe\"}", 200, `"ok":true`},
		{"too large", strings.Repeat(" ", maxRegisterBody+1), 413, "over the max size of 32 MiB"},
	}
	for _, tt := range tests {
		status, answer := callRegister(s, "POST", "/fn/register", nil, tt.body)
		if status != tt.status || !strings.Contains(answer, tt.want) {
			t.Errorf("%s: %d %.200s, want %d %s", tt.name, status, answer, tt.status, tt.want)
		}
	}
	if c.Snapshot().BySlug["shop-a"] == nil {
		t.Error("the function is not there")
	}
}

func TestRegisterAuth(t *testing.T) {
	t.Parallel()
	_, c := newRegisterServer(t)
	s := NewServer(Options{Mode: ModeStart, Catalog: c, SigningKey: "0123"})
	for _, path := range []string{"/fn/register", "/fn/remove"} {
		if status, answer := callRegister(s, fasthttp.MethodPost, path, nil, "{}"); status != 401 || answer != "Authentication failed\n" {
			t.Errorf("%s: %d %q", path, status, answer)
		}
	}
	headers := map[string]string{"Authorization": "Bearer 0123", "X-Inngest-Expected-Server-Kind": "dev"}
	status, answer := callRegister(s, fasthttp.MethodPost, "/fn/register", headers, "{}")
	if status != 400 || answer != `{"error":"Expected server kind cloud, got dev"}`+"\n" {
		t.Errorf("%d %q", status, answer)
	}
}

func BenchmarkRegisterUnchanged(b *testing.B) {
	s, _ := newRegisterServer(b)
	names := make([]string, 30)
	for i := range names {
		names[i] = "f" + string(rune('a'+i))
	}
	body := appBody(appURL, "shop", names...)
	b.ReportAllocs()
	for b.Loop() {
		if status, answer := callRegister(s, "POST", "/fn/register", nil, body); status != 200 {
			b.Fatalf("%d %s", status, answer)
		}
	}
}
