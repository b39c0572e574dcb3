package sdk

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestConcurrencyForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`5`:                    `[{"limit":5,"scope":"Fn","hash":""}]`,
		`-1`:                   `[{"limit":-1,"scope":"Fn","hash":""}]`,
		`1.5`:                  `null`,
		`"5"`:                  `null`,
		`true`:                 `null`,
		`{"limit":5}`:          `[{"limit":5,"scope":"Fn","hash":""}]`,
		`{"LIMIT":5,"Key":""}`: `[{"limit":5,"key":"","scope":"Fn","hash":""}]`,
		`[{"limit":9,"scope":"ACCOUNT","key":"event.data.u"},{"limit":2,"scope":null}]`: `[{"limit":2,"scope":"Fn","hash":""},` +
			`{"limit":9,"key":"event.data.u","scope":"Account","hash":"18z8qzcudra7t"}]`,
		`{"fn":[{"limit":1,"id":"x"}]}`:             `{"fn":[{"limit":1}]}`,
		`{"fn":[{"limit":1}],"step":[{"limit":2}]}`: `{"fn":[{"limit":1}],"step":[{"limit":2,"scope":"Fn","hash":""}]}`,
		`{"fn":[ ],"step":[{"limit":2}]}`:           `[{"limit":2,"scope":"Fn","hash":""}]`,
		`{"fn":[],"step":[],"limit":3}`:             `[{"limit":3,"scope":"Fn","hash":""}]`,
		`{"fn":"x","limit":3}`:                      `[{"limit":3,"scope":"Fn","hash":""}]`,
	} {
		var c Concurrency
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got, err := json.Marshal(&c)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                              "json: cannot unmarshal array into Go value of type sdk.RegisterRequest",
		`{"functions":"x"}`:               "json: cannot unmarshal string into Go struct field RegisterRequest.functions of type []sdk.SDKFunction",
		`{"functions":[{"throttle":{}}]}`: `time: invalid duration ""`,
		`{"functions":[{"throttle":{"period":5}}]}`:                    "json: cannot unmarshal number into Go struct field",
		`{"functions":[{"throttle":{"limit":-1,"period":"1s"}}]}`:      "json: cannot unmarshal number -1 into Go struct field",
		`{"functions":[{"singleton":{"mode":"zap"}}]}`:                 "zap does not belong to SingletonMode values",
		`{"functions":[{"singleton":{"mode":1}}]}`:                     "SingletonMode should be a string, got 1",
		`{"functions":[{"singleton":5}]}`:                              "json: cannot unmarshal number into Go",
		`{"functions":[{"concurrency":{"scope":"galaxy"}}]}`:           "galaxy does not belong to ConcurrencyScope values",
		`{"functions":[{"concurrency":[{"limit":"x"}]}]}`:              "json: cannot unmarshal string into Go struct field",
		`{"functions":[{"concurrency":{"fn":[{"limit":"x"}]}}]}`:       "json: cannot unmarshal string into Go struct field",
		`{"functions":[{"concurrency":{"fn":[1],"step":[2]}}]}`:        "json: cannot unmarshal number into Go",
		`{"functions":[{"steps":{"a":{"retries":{"attempts":"x"}}}}]}`: "json: cannot unmarshal string into Go struct field StepRetries.functions.steps.retries.attempts of type int",
		strings.Repeat("[", 20_000):                                    "exceeded max depth",
	} {
		var r RegisterRequest
		err := json.Unmarshal([]byte(in), &r)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", in, err, want)
		}
	}
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	sum := func(body string) string {
		var r RegisterRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		s, err := r.Checksum()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := sum(`{"appName":"a","functions":[{"id":"f","singleton":{"mode":"skip"}}]}`)
	if b := sum(`{ "FUNCTIONS":[{"Singleton":{"MODE":"SKIP"},"id":"f"}], "appName":"a","featureObservations":{"x":1},"unknown":2}`); a != b || len(a) != 64 {
		t.Errorf("the same content has the checksums %s and %s", a, b)
	}
	for _, other := range []string{
		`{"appName":"a","functions":[{"id":"g","singleton":{"mode":"skip"}}]}`,
		`{"appName":"a","functions":[]}`, `{"appName":"a","functions":null}`, `{"appName":"a","sdk":"js:v4"}`,
	} {
		if sum(other) == a {
			t.Errorf("%s has the same checksum", other)
		}
	}
}

func TestConnectsAndPlatform(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"deployType":"connect","capabilities":{"connect":"v1"}}`: true,
		`{"deployType":"ping","capabilities":{"connect":"v1"}}`:    false,
		`{"deployType":"connect"}`:                                 false,
		`{"deployType":"connect","capabilities":[]}`:               false,
	} {
		var r RegisterRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		if r.Connects() != want {
			t.Errorf("%s: %v", body, r.Connects())
		}
	}
	if p := (&RegisterRequest{Headers: json.RawMessage(`{"platform":"vercel"}`)}).Platform(); p != "vercel" {
		t.Errorf("platform %q", p)
	}
	if p := (&RegisterRequest{Headers: json.RawMessage(`5`)}).Platform(); p != "" {
		t.Errorf("platform %q", p)
	}
}

func TestStepURL(t *testing.T) {
	t.Parallel()
	var s SDKStep
	if s.URL() != "" {
		t.Error("a step without runtime has a URL")
	}
	s.SetURL("http://x")
	if s.URL() != "http://x" {
		t.Errorf("URL %q", s.URL())
	}
}
