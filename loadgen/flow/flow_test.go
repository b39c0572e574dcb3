package flow

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rate{"100/1s": {100, sec, 0}, "1_000/1m0s+10": {1000, time.Minute, 10}} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want || r.String() != strings.ReplaceAll(text, "_", "") {
			t.Errorf("%s: %v, %v", text, r, err)
		}
	}
	for text, want := range map[string]Debounce{"1s": {sec, 0}, "1s/10s": {sec, 10 * sec}} {
		var d Debounce
		if err := d.UnmarshalText([]byte(text)); err != nil || d != want || d.String() != text {
			t.Errorf("%s: %v, %v", text, d, err)
		}
	}
	var b Batch
	if err := b.UnmarshalText([]byte("10/2s")); err != nil || b != (Batch{10, 2 * sec}) || b.String() != "10/2s" {
		t.Errorf("%v, %v", b, err)
	}
	for _, text := range []string{"", "x", "1", "1/", "/1s", "1/1s+", "1/1s+x", "1s/x"} {
		if new(Rate).UnmarshalText([]byte(text)) == nil || new(Batch).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
	for _, text := range []string{"", "x", "1s/", "/1s"} {
		if new(Debounce).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestYAML(t *testing.T) {
	t.Parallel()
	var c Config
	text := "{keys: 7, limit: 2, scope: env, run_limit: 3, throttle: 5/1s+1, rate_limit: 6/1m, debounce: 2s/4s, singleton: skip, priority: 9}"
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	want := Config{Keys: 7, Limit: 2, Scope: ScopeEnv, RunLimit: 3, Throttle: Rate{5, sec, 1}, RateLimit: Rate{6, time.Minute, 0},
		Debounce: Debounce{2 * sec, 4 * sec}, Singleton: Skip, Priority: 9}
	if c != want || c.Validate() != nil || (Config{}).Or(c) != c || c.Or(Config{Limit: 1, Batch: Batch{2, sec}}).Limit != 2 {
		t.Errorf("%+v", c)
	}
	if p := c.Parameters(); p["throttle"] != "5/1s+1" || p["debounce"] != "2s/4s" || len(p) != 9 {
		t.Errorf("%v", p)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"keys is -1":                           {Keys: -1},
		"limit is 1000001":                     {Limit: 1_000_001},
		"run-limit is -1":                      {RunLimit: -1},
		`scope "all"`:                          {Scope: "all"},
		"throttle: its limit is 0":             {Throttle: Rate{Period: sec}},
		"throttle: its period is 1":            {Throttle: Rate{Limit: 1, Period: 1}},
		"rate-limit: its burst is 1":           {RateLimit: Rate{Limit: 1, Period: sec, Burst: 1}},
		"rate-limit: its period is":            {RateLimit: Rate{Limit: 1, Period: 25 * time.Hour}},
		"debounce: its period is":              {Debounce: Debounce{Period: ms}},
		"debounce: its timeout is":             {Debounce: Debounce{Period: sec, Timeout: ms}},
		"batch-events: its size is 1":          {Batch: Batch{1, sec}},
		"batch-events: its timeout is":         {Batch: Batch{2, ms}},
		`singleton "always"`:                   {Singleton: "always"},
		"priority is 43201":                    {Priority: 43201},
		"batch-events cannot be combined with": {Batch: Batch{2, sec}, Singleton: Skip},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		`{}`:                            {Keys: 3},
		`{"concurrency":[{"limit":5}]}`: {Limit: 5},
		`{"concurrency":[{"key":"'all'","limit":5,"scope":"env"}]}`:                                                                                                                               {Limit: 5, Scope: ScopeEnv},
		`{"concurrency":{"fn":[{"key":"event.data.lg.key","limit":2,"scope":"fn"}],"step":[]}}`:                                                                                                   {RunLimit: 2, Keys: 3},
		`{"concurrency":{"fn":[{"limit":2,"scope":"fn"}],"step":[{"limit":4}]}}`:                                                                                                                  {RunLimit: 2, Limit: 4},
		`{"rateLimit":{"limit":2,"period":"1m0s"},"throttle":{"burst":1,"limit":2,"period":"1s"}}`:                                                                                                {Throttle: Rate{2, sec, 1}, RateLimit: Rate{2, time.Minute, 0}},
		`{"debounce":{"key":"event.data.lg.key","period":"1s","timeout":"3s"},"priority":{"run":"event.data.lg.urgent == true ? 5 : 0"},"singleton":{"key":"event.data.lg.key","mode":"cancel"}}`: {Keys: 9, Debounce: Debounce{sec, 3 * sec}, Singleton: Cancel, Priority: 5},
		`{"batchEvents":{"maxSize":7,"timeout":"2s"}}`:                                                                                                                                            {Batch: Batch{7, 2 * sec}},
	} {
		o := object{}
		c.Register(o)
		if got, err := json.Marshal(o); err != nil || string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAppendMark(t *testing.T) {
	t.Parallel()
	c := Config{Keys: 7, Priority: 60}
	for seq, want := range map[int64]string{0: `,"key":"k0","urgent":true`, 16: `,"key":"k2","urgent":false`, 20: `,"key":"k6","urgent":true`} {
		if got := string(c.AppendMark(nil, seq)); got != want {
			t.Errorf("%d: %s", seq, got)
		}
	}
	if got := (Config{Limit: 1}).AppendMark(nil, 1); got != nil {
		t.Errorf("%s", got)
	}
}
