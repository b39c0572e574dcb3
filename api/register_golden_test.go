package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"ingot/engine"
	"ingot/internal/golden"
	"ingot/storage/memstore"

	"github.com/valyala/fasthttp"
)

// recordedHost is what stands for <APP> in the recordings.
const recordedHost = "localhost:9620"

type recordedBody struct {
	Raw string `json:"raw"`
}

type recordedExchange struct {
	Seq     int    `json:"seq"`
	Note    string `json:"note"`
	Dir     string `json:"dir"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    *recordedBody     `json:"body"`
	} `json:"request"`
	Response struct {
		Status int           `json:"status"`
		Body   *recordedBody `json:"body"`
	} `json:"response"`
	// AppAfter is the app's row; an empty list before there is one.
	AppAfter json.RawMessage `json:"app_after"`
}

type recordedApp struct {
	URL           string             `json:"url"`
	SDKLanguage   string             `json:"sdkLanguage"`
	SDKVersion    string             `json:"sdkVersion"`
	Framework     *string            `json:"framework"`
	AppVersion    *string            `json:"appVersion"`
	Error         *string            `json:"error"`
	FunctionCount int                `json:"functionCount"`
	Functions     []recordedFunction `json:"functions"`
}

type recordedFunction struct {
	Slug   string `json:"slug"`
	Config string `json:"config"`
}

type registerRecording struct {
	Exchanges []recordedExchange `json:"exchanges"`
	Views     map[string]struct {
		App struct {
			Data struct {
				App *recordedApp `json:"app"`
			} `json:"data"`
		} `json:"gql_app"`
		Apps struct {
			Data struct {
				Apps []struct {
					Name string `json:"externalID"`
				} `json:"apps"`
			} `json:"data"`
		} `json:"gql_apps"`
	} `json:"views"`
}

// uuidLabels compares texts up to the names that recordings give to UUIDs.
type uuidLabels map[string]string

var (
	uuidLabel = regexp.MustCompile(`<UUID:[^>]*>`)
	uuidText  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// diff returns a description of the first difference; empty if there is none.
func (l uuidLabels) diff(want, got string) string {
	got = strings.ReplaceAll(strings.ReplaceAll(got, recordedHost, "<APP>"), "127.0.0.1:9620", "<APP>")
	names, ids := uuidLabel.FindAllString(want, -1), uuidText.FindAllString(got, -1)
	if len(names) == len(ids) {
		for i, name := range names {
			if id, ok := l[name]; ok && id != ids[i] {
				return fmt.Sprintf("%s was %s, now %s", name, id, ids[i])
			}
			l[name] = ids[i]
		}
	}
	plain := uuidText.ReplaceAllString(got, "<UUID>")
	if uuidLabel.ReplaceAllString(want, "<UUID>") != plain {
		return fmt.Sprintf("\n got %q\nwant %q", got, want)
	}
	return ""
}

func (l uuidLabels) diffApp(want *recordedApp, c *engine.Catalog, name string) (diffs []string) {
	report := func(what, want, got string) {
		if d := l.diff(want, got); d != "" {
			diffs = append(diffs, what+": "+d)
		}
	}
	var app *engine.App
	for _, a := range c.Snapshot().Apps {
		if a.Name == name {
			app = a
		}
	}
	if app == nil {
		return []string{"no app " + name}
	}
	report("url", want.URL, app.URL)
	report("sdk", want.SDKLanguage+":"+want.SDKVersion, app.SDKLanguage+":"+app.SDKVersion)
	wantErr := ""
	if want.Error != nil {
		wantErr = *want.Error
	}
	report("error", wantErr, app.Error)
	if want.Framework != nil {
		report("framework", *want.Framework, app.Framework)
	}
	if want.AppVersion != nil {
		report("appVersion", *want.AppVersion, app.AppVersion)
	}
	functions := c.Snapshot().Functions(app.ID)
	if len(functions) != want.FunctionCount || len(functions) != len(want.Functions) {
		return append(diffs, fmt.Sprintf("%d functions, want %d", len(functions), want.FunctionCount))
	}
	for i, w := range want.Functions {
		// The slug is compared as part of the configuration: the reference's own
		// column keeps the first slug of a function whose slug changes.
		report("config", w.Config, string(functions[i].Config))
	}
	return diffs
}

func newRegisterServer(t testing.TB) (*Server, *engine.Catalog) {
	t.Helper()
	s, c, _ := newRegisterStore(t)
	return s, c
}

func newRegisterStore(t testing.TB) (*Server, *engine.Catalog, *memstore.Store) {
	t.Helper()
	store := memstore.New(1, memstore.Options{})
	ps, err := store.Partition(engine.SystemPartition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.OpenCatalog(ps)
	if err != nil {
		t.Fatal(err)
	}
	return NewServer(Options{Mode: ModeDev, Catalog: c}), c, store
}

// do sends one request to the server's handler.
func callRegister(s *Server, method, path string, headers map[string]string, body string) (int, string) {
	var ctx fasthttp.RequestCtx
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(path)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	req.SetBodyString(body)
	ctx.Init(&req, nil, nil)
	s.Handler(&ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

func replayRegister(s *Server, e *recordedExchange, l uuidLabels) string {
	body := ""
	if e.Request.Body != nil {
		body = strings.ReplaceAll(e.Request.Body.Raw, "<APP>", "127.0.0.1:9620")
	}
	want := ""
	if e.Response.Body != nil {
		want = e.Response.Body.Raw
	}
	status, got := callRegister(s, e.Request.Method, e.Request.Path, e.Request.Headers, body)
	if status != e.Response.Status {
		return fmt.Sprintf("status %d, want %d: %s", status, e.Response.Status, got)
	}
	return l.diff(want, got)
}

func TestGoldenRegisterInvalid(t *testing.T) {
	t.Parallel()
	file := golden.Answer[registerRecording](t, "testdata/register-invalid.json.gz")
	s, c := newRegisterServer(t)
	l := uuidLabels{}
	passed := 0
	for i := range file.Exchanges {
		e := &file.Exchanges[i]
		var diffs []string
		if d := replayRegister(s, e, l); d != "" {
			diffs = append(diffs, "answer: "+d)
		}
		if strings.HasPrefix(string(e.AppAfter), "{") {
			var row recordedApp
			if err := json.Unmarshal(e.AppAfter, &row); err != nil {
				t.Fatal(err)
			}
			diffs = append(diffs, l.diffApp(&row, c, "golden-register-invalid")...)
		}
		if len(diffs) == 0 {
			passed++
			continue
		}
		t.Errorf("%d %s: %s", e.Seq, e.Note, strings.Join(diffs, "\n"))
	}
	t.Logf("register-invalid: %d of %d exchanges", passed, len(file.Exchanges))
}

func TestGoldenRegisterValid(t *testing.T) {
	t.Parallel()
	file := golden.Answer[registerRecording](t, "testdata/register-valid.json.gz")
	s, c := newRegisterServer(t)
	l := uuidLabels{}
	// The views were taken after these exchanges.
	views := map[int]string{
		1: "after-first", 2: "after-rename", 3: "after-removal", 4: "after-replace", 5: "after-restore",
		6: "after-py", 7: "after-url-change", 8: "after-empty", 9: "after-remove",
	}
	passed := 0
	for i := range file.Exchanges {
		e := &file.Exchanges[i]
		var diffs []string
		if d := replayRegister(s, e, l); d != "" {
			diffs = append(diffs, "answer: "+d)
		}
		if name, ok := views[e.Seq]; ok {
			v := file.Views[name]
			diffs = append(diffs, l.diffApp(v.App.Data.App, c, "golden-register-valid")...)
			active := 0
			for _, a := range c.Snapshot().Apps {
				if a.Active() {
					active++
				}
			}
			if active != len(v.Apps.Data.Apps) {
				diffs = append(diffs, fmt.Sprintf("%d active apps, want %d", active, len(v.Apps.Data.Apps)))
			}
		}
		if len(diffs) == 0 {
			passed++
			continue
		}
		t.Errorf("%d %s: %s", e.Seq, e.Note, strings.Join(diffs, "\n"))
	}
	t.Logf("register-valid: %d of %d exchanges", passed, len(file.Exchanges))
}

func TestGoldenIDs(t *testing.T) {
	t.Parallel()
	file := golden.Answer[struct {
		Rows []struct {
			Payload json.RawMessage `json:"payload"`
			App     struct {
				ID        string             `json:"id"`
				URL       string             `json:"url"`
				Functions []recordedFunction `json:"functions"`
			} `json:"app"`
		} `json:"rows"`
	}](t, "testdata/register-ids.json.gz")
	if len(file.Rows) == 0 {
		t.Fatal("no rows")
	}
	s, c := newRegisterServer(t)
	for _, row := range file.Rows {
		status, body := callRegister(s, "POST", "/fn/register", nil, string(row.Payload))
		var answer registered
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		if answer.AppID.String() != row.App.ID {
			t.Errorf("app id %s, want %s", answer.AppID, row.App.ID)
		}
		if got := c.Snapshot().Apps[answer.AppID].URL; got != row.App.URL {
			t.Errorf("url %s, want %s", got, row.App.URL)
		}
		var got []recordedFunction
		for _, f := range c.Snapshot().Functions(answer.AppID) {
			got = append(got, recordedFunction{Slug: f.Slug, Config: string(f.Config)})
		}
		if !reflect.DeepEqual(got, row.App.Functions) {
			t.Errorf("functions %v, want %v", got, row.App.Functions)
		}
	}
}
