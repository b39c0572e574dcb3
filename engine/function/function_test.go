package function

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/engine/function/sdk"
	"ingot/internal/ids"
)

// base is a valid function; tests replace or add keys.
const base = `{"id":"app-f","name":"f","triggers":[{"event":"a/b"}],
	"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"http://localhost:3000/api?fnId=app-f"}}}}`

// with returns base with the keys of patch put over it.
func with(t testing.TB, patch string) *sdk.SDKFunction {
	t.Helper()
	var all, over map[string]json.RawMessage
	if err := json.Unmarshal([]byte(base), &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(patch), &over); err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	for k, v := range over {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	f := new(sdk.SDKFunction)
	if err := json.Unmarshal(raw, f); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return f
}

func define(t testing.TB, patch string) *Definition {
	t.Helper()
	d, err := Normalize(with(t, patch))
	if err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	return d
}

func build(t testing.TB, patch string) *Function {
	t.Helper()
	d := define(t, patch)
	if errs := d.Validate(); errs != nil {
		t.Fatalf("%s: %v", patch, errs)
	}
	f, err := d.Build(Identity{ID: d.NewID(), AppID: ids.UUIDv5([]byte("app")), AppName: "app", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	tests := []struct {
		patch string
		want  []string // a leading code in brackets is checked too
	}{
		{`{}`, nil},
		{`{"name":""}`, []string{"A function name is required"}},
		{`{"steps":{}}`, []string{"Functions must contain one step"}},
		{`{"steps":{"a":{"name":"","runtime":{"url":"http://x"}}}}`, []string{"All steps must have a name"}},
		{`{"steps":{"a":{"name":"n","runtime":{"url":"http://[::1"}}}}`, []string{"Steps must have a valid URI"}},
		{`{"steps":{"a":{"name":"n","runtime":{"url":"ftp://x"}}}}`, []string{"Non-supported step schema: ftp"}},
		{`{"steps":{"a":{"name":"n","runtime":{"url":"wss://x"}}}}`, nil},

		{`{"triggers":[{"cron":"` + long + `"}]}`, []string{"[schedule_invalid]cron is too long. maximum length is 255 characters"}},
		{`{"triggers":[{"event":"` + long + `"}]}`, []string{"[event_name_invalid]event name is too long. maximum length is 255 characters"}},
		{`{"triggers":[{"event":"a"},{"event":"a","expression":"true"}]}`, nil},
		{`{"triggers":[{"event":"a","expression":"true"},{"event":"a","expression":"true"}]}`, []string{"duplicate trigger event: a"}},
		{
			`{"triggers":[{"cron":"* * * * *"},{"cron":"* * * * *"}]}`,
			[]string{"duplicate trigger cron: * * * * *", "duplicate cron expression: * * * * *"},
		},
		{`{"triggers":[{"cron":"* * * * *"},{"cron":"* * * * *","jitter":"2s"}]}`, []string{"duplicate cron expression: * * * * *"}},
		{`{"triggers":[{"cron":"TZ=Europe/Paris 0 5 * * *","jitter":"5m"}]}`, nil},
		{`{"triggers":[{"cron":"* * * * *","jitter":"0s"}]}`, nil},
		{`{"triggers":[{"cron":"* * * * *","jitter":"-1s"}]}`, []string{"cron jitter must be greater than or equal to zero"}},
		{`{"triggers":[{"cron":"* * * * *","jitter":"999ms"}]}`, []string{"cron jitter must be at least 1s"}},
		{`{"triggers":[{"cron":"* * * * *","jitter":"5m1s"}]}`, []string{"cron jitter must be less than or equal to 5m0s"}},

		{`{"concurrency":[{"limit":1,"scope":"account"}]}`, []string{"A concurrency key must be specified for Account scoped limits"}},
		{`{"concurrency":[{"limit":1},{"limit":1},{"limit":1}]}`, []string{"[concurrency_limit_invalid]There are more concurrency limits specified than the allowed max of: 2"}},
		{`{"concurrency":{"fn":[{"limit":1},{"limit":1}]}}`, []string{"[concurrency_limit_invalid]Only one function concurrency limit is allowed"}},
		{`{"concurrency":{"fn":[{"limit":0,"scope":"zone"}]}}`, []string{"invalid function concurrency scope: zone", "function concurrency limit must be > 0"}},
		{`{"concurrency":{"fn":[{"limit":1,"scope":"fn","key":"event.data.u"}]}}`, nil},

		{`{"batchEvents":{"maxSize":1,"timeout":"0.5s"}}`, []string{
			"[batch_size_invalid]batch size cannot be smaller than 2: 1", "[batch_timeout_invalid]batch timeout should be more than 1s",
		}},
		{`{"batchEvents":{"maxSize":2,"timeout":"1s"},"cancel":[{"event":"x"}],"debounce":{"period":"1s"},"singleton":{},"priority":{"run":"1"}}`, []string{
			"[combo_unsupported]Batching and cancellation are mutually exclusive",
			"[combo_unsupported]Batching and debouncing are mutually exclusive",
			"[combo_unsupported]Batching and singletons are mutually exclusive",
			"A function cannot specify Priority.Run and Batch together",
		}},

		{`{"debounce":{"period":"7d"}}`, nil},
		{`{"debounce":{"period":"-1s"}}`, []string{"The debounce period of '-1s' is less than the min of: 1s"}},
		{`{"debounce":{"period":"1w1s"}}`, []string{"The debounce period of '1w1s' is greater than the max of: 168h0m0s"}},

		{`{"rateLimit":{"limit":1,"period":"24h"}}`, nil},
		{`{"rateLimit":{}}`, []string{"limit must be greater than 0", "period must be specified"}},
		{`{"rateLimit":{"limit":1,"period":"1d1s"}}`, []string{"period must be less than 24h0m0s"}},
		{`{"rateLimit":{},"idempotency":"event.data.id"}`, nil}, // replaced

		{`{"cancel":[{"event":"x","if":"async.data.a == event.data.a","timeout":"anything"}]}`, nil},
		{`{"cancel":[{},{},{},{},{},{}]}`, []string{"This function exceeds the max number of cancellation events: 5"}},
		{`{"timeouts":{"start":"abc"},"throttle":{"period":"1m","key":"event."},"singleton":{"key":"event."}}`, nil},
	}
	for _, tt := range tests {
		var got []string
		for i, e := range define(t, tt.patch).Validate() {
			text := e.Error()
			if i < len(tt.want) && strings.HasPrefix(tt.want[i], "[") {
				text = "[" + e.Code + "]" + text
			}
			got = append(got, text)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.patch, got, tt.want)
		}
	}
}

// TestValidateExpressions checks that each expression is looked at and named.
func TestValidateExpressions(t *testing.T) {
	t.Parallel()
	for patch, want := range map[string]string{
		`{"triggers":[{"event":"a","expression":"event."}]}`:               "invalid trigger expression on 'a': ",
		`{"concurrency":{"limit":1,"key":"event."}}`:                       "Invalid concurrency key 'event.': ",
		`{"concurrency":{"fn":[{"limit":1,"key":"event."}]}}`:              "invalid function concurrency key 'event.': ",
		`{"batchEvents":{"maxSize":2,"timeout":"1s","key":"event."}}`:      "batch key expression is invalid: ",
		`{"batchEvents":{"maxSize":2,"timeout":"1s","if":"event."}}`:       "conditional batch expression is invalid ",
		`{"priority":{"run":"event."}}`:                                    "Priority.Run expression is invalid: ",
		`{"cancel":[{"event":"x","if":"async."}]}`:                         "Cancellation expression is invalid: ",
		`{"cancel":[{"event":"x","if":"async.data.l.exists(x, x == 1)"}]}`: "Cancellation expression is invalid: ",
		`{"debounce":{"period":"1s","key":"event."}}`:                      "Debounce expression is invalid: ",
		`{"rateLimit":{"limit":1,"period":"1m","key":"event."}}`:           "key is invalid: ",
		`{"idempotency":"event."}`:                                         "key is invalid: ",
	} {
		errs := define(t, patch).Validate()
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Message, want) {
			t.Errorf("%s: got %q, want %q…", patch, errs, want)
		}
	}
}

func TestNormalizeNeedsURL(t *testing.T) {
	t.Parallel()
	for _, runtime := range []string{`{}`, `null`, `{"url":""}`, `{"url":5}`} {
		_, err := Normalize(with(t, `{"steps":{"step":{"name":"step","runtime":`+runtime+`}}}`))
		if err == nil || err.Error() != "No SDK URL provided for function 'f'" {
			t.Errorf("%s: %v", runtime, err)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	step := func(retries string) string {
		return `{"steps":{"step":{"name":"step","runtime":{"url":"http://x"}` + retries + `}}`
	}
	for patch, want := range map[string]int{
		step("") + "}":             5,
		step("") + `,"retries":2}`: 3,
		step(`,"retries":{"attempts":7}`) + `,"retries":2}`: 8,
		step(`,"retries":{"attempts":0}`) + "}":             1,
		step(`,"retries":{"attempts":-3}`) + "}":            1,
		step(`,"retries":{"attempts":99}`) + "}":            21,
		step("") + `,"retries":99}`:                         21,
		step(`,"retries":{}`) + "}":                         1,
	} {
		if got := build(t, patch).MaxAttempts; got != want {
			t.Errorf("%s: %d attempts, want %d", patch, got, want)
		}
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	f := build(t, `{
		"triggers":[{"event":"a/*","expression":"event.data.a > 1"},{"cron":"TZ=Europe/Paris 0 12 * * *","jitter":"30s"}],
		"concurrency":{"fn":[{"limit":3,"key":"event.data.u"}],"step":[{"limit":9,"key":"'x'","scope":"ENV"},{"limit":5,"key":"event.data.user","hash":"zzz"}]},
		"priority":{"run":"event.data.p"},"throttle":{"limit":2,"period":"1m","burst":1,"key":"event.data.u"},
		"rateLimit":{"limit":10,"period":"1h","key":"event.data.u"},"debounce":{"period":"5s","timeout":"1m","key":"event.data.u"},
		"timeouts":{"start":"10s","finish":"1d"},"cancel":[{"event":"c","if":"async.data.id == event.data.id","timeout":"1h"}],
		"Singleton":{"mode":"CANCEL","key":"event.data.u"},
		"checkpoint":{"batch_steps":3,"batch_interval":"5s","max_runtime":60000000000}}`)
	if f.Triggers[0].Event != "a/*" || f.Triggers[0].If.Source() != "event.data.a > 1" || f.Triggers[0].Schedule != nil {
		t.Errorf("event trigger: %+v", f.Triggers[0])
	}
	cron := f.Triggers[1]
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if cron.Cron != "TZ=Europe/Paris 0 12 * * *" || cron.Jitter != 30*time.Second || cron.Schedule.Next(at).Hour() != 11 {
		t.Errorf("cron trigger: %+v", cron)
	}
	if c := f.Concurrency; len(c) != 2 || c[0].Limit != 5 || c[0].KeyHash != "2qy9woqu2th5f" || c[0].Scope != ScopeFunction ||
		c[1].Limit != 9 || c[1].Scope != ScopeEnv || c[1].Key.Source() != "'x'" {
		t.Errorf("concurrency: %+v", c)
	}
	if f.RunLimit.Limit != 3 || f.RunLimit.Key == nil || f.RunLimit.KeyHash == "" {
		t.Errorf("run limit: %+v", f.RunLimit)
	}
	if th := f.Throttle; th.Limit != 2 || th.Burst != 1 || th.Period != time.Minute || th.Key == nil {
		t.Errorf("throttle: %+v", th)
	}
	if r := f.RateLimit; r.Limit != 10 || r.Period != time.Hour || r.Key == nil {
		t.Errorf("rate limit: %+v", r)
	}
	if d := f.Debounce; d.Period != 5*time.Second || d.Timeout != time.Minute || d.Key == nil {
		t.Errorf("debounce: %+v", d)
	}
	if f.Timeouts != (Timeouts{Start: 10 * time.Second, Finish: 24 * time.Hour}) {
		t.Errorf("timeouts: %+v", f.Timeouts)
	}
	if !reflect.DeepEqual(f.Cancel, []Cancel{{Event: "c", If: "async.data.id == event.data.id", Timeout: "1h"}}) {
		t.Errorf("cancel: %+v", f.Cancel)
	}
	if f.Singleton.Mode != SingletonCancel || f.Singleton.Key == nil || f.Priority.Source() != "event.data.p" {
		t.Errorf("singleton %+v, priority %v", f.Singleton, f.Priority)
	}
	if f.Driver != DriverHTTP || f.URL != "http://localhost:3000/api?fnId=app-f" || f.MaxAttempts != 5 {
		t.Errorf("call: %+v", f)
	}
	const tail = `"singleton":{"key":"event.data.u","mode":"cancel"},` +
		`"checkpoint":{"batch_steps":3,"batch_interval":"5s","max_runtime":"1m0s"},"steps":[`
	if !strings.Contains(string(f.Config), tail) {
		t.Errorf("config %s lacks %s", f.Config, tail)
	}
	restored, err := Restore(Identity{ID: f.ID, AppID: f.AppID, AppName: f.AppName, Version: 1}, f.Config)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(summary(restored), summary(f)) {
		t.Errorf("restored %+v, want %+v", summary(restored), summary(f))
	}
}

// summary replaces compiled parts, which have no equality, by their sources.
func summary(f *Function) map[string]any {
	b, err := json.Marshal(f.Config)
	if err != nil {
		panic(err)
	}
	out := map[string]any{
		"config": string(b), "driver": f.Driver, "url": f.URL, "attempts": f.MaxAttempts, "cancel": f.Cancel,
		"timeouts": f.Timeouts, "triggers": len(f.Triggers), "concurrency": len(f.Concurrency),
		"run": f.RunLimit != nil, "throttle": f.Throttle != nil, "rate": f.RateLimit != nil, "debounce": f.Debounce != nil,
		"batch": f.Batch != nil, "singleton": f.Singleton != nil, "priority": f.Priority != nil,
		"id": f.ID, "app": f.AppID, "slug": f.Slug, "name": f.Name, "version": f.Version,
	}
	for i, t := range f.Triggers {
		if t.If != nil {
			out["if"+string(rune('0'+i))] = t.If.Source()
		}
	}
	return out
}

// TestBuildLenient has the settings that registration accepts though they are broken.
func TestBuildLenient(t *testing.T) {
	t.Parallel()
	f := build(t, `{"throttle":{"limit":0,"period":"1m","key":"event."},"singleton":{"key":"event.","mode":"skip"},
		"timeouts":{"start":"abc","finish":"-5s"},"debounce":{"period":"5s","timeout":"abc"},"concurrency":-1}`)
	if f.Throttle.Limit != 1 || f.Throttle.Key != nil {
		t.Errorf("throttle: %+v", f.Throttle)
	}
	if f.Singleton != nil {
		t.Errorf("a singleton with a broken key applies: %+v", f.Singleton)
	}
	if f.Timeouts != (Timeouts{}) || f.Debounce.Timeout != 0 || f.Concurrency != nil {
		t.Errorf("%+v %+v %+v", f.Timeouts, f.Debounce, f.Concurrency)
	}
	if f := build(t, `{"throttle":{"period":"0s"},"rateLimit":{"limit":1,"period":"0s"}}`); f.Throttle != nil || f.RateLimit != nil {
		t.Errorf("a period of nothing limits: %+v %+v", f.Throttle, f.RateLimit)
	}
	if f := build(t, `{"batchEvents":{"maxSize":7,"timeout":"2s","key":"event.data.k","if":"event.data.b"}}`); f.Batch.MaxSize != 7 ||
		f.Batch.Timeout != 2*time.Second || f.Batch.Key == nil || f.Batch.If == nil {
		t.Errorf("batch: %+v", f.Batch)
	}
}

func TestRestoreBroken(t *testing.T) {
	t.Parallel()
	if f, err := Restore(Identity{}, json.RawMessage(`{"steps":5}`)); f != nil || err == nil {
		t.Errorf("got %v, %v", f, err)
	}
	config := `{"slug":"s","triggers":[{"event":"a","expression":"event."},{"event":"b"},{"cron":"x"}],"priority":{"run":"event."},"steps":[]}`
	f, err := Restore(Identity{}, json.RawMessage(config))
	if f == nil || err == nil || len(f.Triggers) != 1 || f.Triggers[0].Event != "b" || f.Priority != nil {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	d := NewSync("https://shop.example", "GET", "/orders", "")
	f, err := d.BuildSync(Identity{ID: ids.UUIDv5([]byte("x")), Version: 2}, "GET")
	if err != nil {
		t.Fatal(err)
	}
	if f.Slug != "GET /orders" || f.Driver != DriverSync || f.Method != "GET" || f.URL != "https://shop.example" || f.Version != 2 {
		t.Errorf("%+v", f)
	}
	if d := NewSync("d", "GET", "/", "named"); d.Slug != "named" || d.Name != "named" {
		t.Errorf("%+v", d)
	}
}

func TestDriver(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]Driver{"ws://connect?fnId=a": DriverConnect, "wss://connect": DriverConnect, "https://x": DriverHTTP} {
		f := build(t, `{"steps":{"step":{"name":"step","runtime":{"type":"ws","url":"`+url+`"}}}}`)
		if f.Driver != want {
			t.Errorf("%s: driver %d", url, f.Driver)
		}
	}
}

func TestSlugify(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Process Order": "process-order", "  a__b!  ": "a-b", "": "", "é": "", "X9": "x9"} {
		if got := slugify(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if d := define(t, `{"id":"","name":"My Fn"}`); d.Slug != "my-fn" {
		t.Errorf("slug %q", d.Slug)
	}
}

func TestParseCheckpoint(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]*Checkpoint{
		`true`: nil, `null`: nil, `[]`: nil, ``: nil, `{"batch_steps":"x","max_runtime":true}`: {},
		`{"batch_steps":2,"batch_interval":1000000000}`: {BatchSteps: 2, BatchInterval: "1s"},
	} {
		if got := parseCheckpoint(json.RawMessage(raw)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	var errs Errors
	for range 10_000 {
		errs.add("broken")
	}
	text := errs.Error()
	if !strings.HasPrefix(text, "10000 errors occurred: * broken") || !strings.HasSuffix(text, " * and 9900 more") || len(text) > 2000 {
		t.Errorf("%d characters: %.80s", len(text), text)
	}
}

func FuzzFunction(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte(`{"concurrency":{"fn":[{"limit":1}],"step":[{"limit":2,"scope":"env"}]},"steps":{"a":{"runtime":{"url":"x"}}}}`))
	f.Add([]byte(`{"throttle":{"period":"1d"},"Singleton":{"mode":"SKIP"},"retries":3,"checkpoint":{"max_runtime":1}}`))
	f.Add([]byte(`{"triggers":[{"cron":"TZ=UTC 0 0 * * *","jitter":"1s"}],"idempotency":"event.data.x","concurrency":5}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in sdk.SDKFunction
		if json.Unmarshal(raw, &in) != nil {
			return
		}
		d, err := Normalize(&in)
		if err != nil || d.Validate() != nil {
			return
		}
		fn, err := d.Build(Identity{ID: d.NewID(), Version: 1})
		if err != nil {
			t.Fatalf("a valid definition does not build: %v", err)
		}
		again, err := Restore(Identity{ID: fn.ID, Version: 1}, fn.Config)
		if err != nil {
			t.Fatalf("stored %s does not restore: %v", fn.Config, err)
		}
		if !reflect.DeepEqual(summary(again), summary(fn)) {
			t.Fatalf("restored %+v, was %+v", summary(again), summary(fn))
		}
	})
}
