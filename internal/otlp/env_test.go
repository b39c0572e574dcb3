package otlp

import (
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	const general, own = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
	for name, test := range map[string]struct {
		env       map[string]string
		url       string // where requests go; empty is off
		wantError string
	}{
		"nothing":            {nil, "", ""},
		"only other things":  {map[string]string{general + "HEADERS": "a=b", "INNGEST_SYSTEM_TRACE_URL_PATH": "/x"}, "", ""},
		"general":            {map[string]string{general + "ENDPOINT": "https://h:4318/base/"}, "https://h:4318/base/v1/traces", ""},
		"own is as it is":    {map[string]string{general + "ENDPOINT": "http://g", own + "ENDPOINT": "http://h/a%2Fb/"}, "http://h/a%2Fb/", ""},
		"own without path":   {map[string]string{own + "ENDPOINT": "http://h"}, "http://h/", ""},
		"query":              {map[string]string{own + "ENDPOINT": "http://h/p?k=v"}, "http://h/p?k=v", ""},
		"reference":          {map[string]string{"INNGEST_SYSTEM_TRACE_ENDPOINT": "h:4318"}, "http://h:4318/v1/traces", ""},
		"reference and path": {map[string]string{"INNGEST_SYSTEM_TRACE_ENDPOINT": "h:1", "INNGEST_SYSTEM_TRACE_URL_PATH": "dev/x"}, "http://h:1/dev/x", ""},
		"standard first":     {map[string]string{"INNGEST_SYSTEM_TRACE_ENDPOINT": "h:1", "INNGEST_SYSTEM_TRACE_URL_PATH": "/x", general + "ENDPOINT": "http://g"}, "http://g/v1/traces", ""},
		"no exporter":        {map[string]string{general + "ENDPOINT": "http://h", "OTEL_TRACES_EXPORTER": "none"}, "", ""},
		"disabled":           {map[string]string{general + "ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "TRUE"}, "", ""},
		"protobuf":           {map[string]string{general + "ENDPOINT": "http://h", general + "PROTOCOL": "http/protobuf"}, "http://h/v1/traces", ""},
		"grpc":               {map[string]string{general + "ENDPOINT": "http://h", own + "PROTOCOL": "grpc"}, "", own + `PROTOCOL is "grpc"; supported are http/json and http/protobuf`},
		"compression":        {map[string]string{general + "ENDPOINT": "http://h", general + "COMPRESSION": "zstd"}, "", general + "COMPRESSION"},
		"scheme":             {map[string]string{own + "ENDPOINT": "ftp://user:pass@h"}, "", own + "ENDPOINT"},
		"no host":            {map[string]string{general + "ENDPOINT": "http://:4318"}, "", general + "ENDPOINT"},
		"reference is wrong": {map[string]string{"INNGEST_SYSTEM_TRACE_ENDPOINT": "a b"}, "", "INNGEST_SYSTEM_TRACE_ENDPOINT"},
		"timeout 0":          {map[string]string{general + "ENDPOINT": "http://h", general + "TIMEOUT": "0"}, "", general + "TIMEOUT must be milliseconds, from 1 to 300000"},
		"timeout with unit":  {map[string]string{general + "ENDPOINT": "http://h", own + "TIMEOUT": "10s"}, "", own + "TIMEOUT"},
		"timeout too long":   {map[string]string{general + "ENDPOINT": "http://h", own + "TIMEOUT": "300001"}, "", own + "TIMEOUT"},
		"header name":        {map[string]string{general + "ENDPOINT": "http://h", general + "HEADERS": "a b=pass"}, "", general + "HEADERS"},
		"header value":       {map[string]string{general + "ENDPOINT": "http://h", general + "HEADERS": "a=pass%0d%0aX: y"}, "", general + "HEADERS"},
		"header without":     {map[string]string{general + "ENDPOINT": "http://h", own + "HEADERS": "pass"}, "", own + "HEADERS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := ConfigFromEnv(func(key string) string { return test.env[key] })
			if test.wantError != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.wantError) || strings.Contains(err.Error(), "pass") {
					t.Errorf("error %v, want %s", err, test.wantError)
				}
				return
			}
			if err != nil || c.Enabled() != (test.url != "") {
				t.Fatalf("%+v, %v", c, err)
			}
			if !c.Enabled() {
				return
			}
			c.History, c.Logger = &past{}, slog.Default()
			if target, err := c.check(); err != nil || target != test.url {
				t.Errorf("%s, %v; want %s", target, err, test.url)
			}
		})
	}
}

func TestSettingsFromEnv(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%3Db , b = c%20d,", "OTEL_EXPORTER_OTLP_TIMEOUT": "5000",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_SERVICE_NAME": "s",
	}
	c, err := ConfigFromEnv(func(key string) string { return vars[key] })
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(c.Headers, map[string]string{"x-key": "a=b", "b": "c d"}) || c.Timeout != 2500*time.Millisecond || !c.Plain || c.ServiceName != "s" {
		t.Errorf("%+v", c)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Endpoint: "h:1", History: &past{}, Logger: slog.Default()}
	for want, change := range map[string]func(*Config){
		"":         func(*Config) {},
		"endpoint": func(c *Config) { c.Endpoint = "" },
		"History":  func(c *Config) { c.History = nil },
		"Logger":   func(c *Config) { c.Logger = nil },
		"Timeout":  func(c *Config) { c.Timeout = maxTimeout + 1 },
		`"k:"`:     func(c *Config) { c.Headers = map[string]string{"k:": "v"} },
		`"k"`:      func(c *Config) { c.Headers = map[string]string{"k": "\n"} },
	} {
		c := good
		change(&c)
		e, err := New(c)
		if err == nil {
			e.Close(t.Context())
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
