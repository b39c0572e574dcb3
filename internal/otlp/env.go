package otlp

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ConfigFromEnv reads the standard variables of OpenTelemetry exporters (spec 06 §19),
// those for traces before the general ones:
//
//	OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT     URL; the general one gets /v1/traces added
//	OTEL_EXPORTER_OTLP_[TRACES_]HEADERS      name=value,… with percent-encoded values
//	OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT      of a request, ms
//	OTEL_EXPORTER_OTLP_[TRACES_]COMPRESSION  gzip (the default here) or none
//	OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL     http/json or http/protobuf, which is sent JSON too:
//	                                         collectors take both at one URL
//	OTEL_SERVICE_NAME
//	OTEL_TRACES_EXPORTER=none, OTEL_SDK_DISABLED=true turn the export off
//
// Without an endpoint among them, the reference's INNGEST_SYSTEM_TRACE_ENDPOINT
// (host:port) and INNGEST_SYSTEM_TRACE_URL_PATH count (spec 06 §8.3). Without that either,
// the result is not Enabled. An error names the variable.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var c Config
	if getenv("OTEL_TRACES_EXPORTER") == "none" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return c, nil
	}
	if err := c.endpoint(getenv); err != nil || !c.Enabled() {
		return Config{}, err
	}
	e := env{getenv: getenv}
	c.ServiceName = getenv("OTEL_SERVICE_NAME")
	c.Headers = e.headers("HEADERS")
	c.Timeout = e.timeout("TIMEOUT")
	c.Plain = e.choice("COMPRESSION", "gzip", "none") == "none"
	e.choice("PROTOCOL", "http/json", "http/protobuf")
	if e.err != nil {
		return Config{}, e.err
	}
	return c, nil
}

// endpoint sets where to send to, from the first variable that says so.
func (c *Config) endpoint(getenv func(string) string) error {
	const own, general, reference = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "INNGEST_SYSTEM_TRACE_ENDPOINT"
	name := reference
	for _, n := range []string{own, general} {
		if getenv(n) != "" {
			name = n
			break
		}
	}
	c.Endpoint = getenv(name)
	if c.Endpoint == "" {
		return nil
	}
	u, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch name {
	case own: // is taken as it is
		c.Path = cmp.Or(u.EscapedPath(), "/")
		u.Path, u.RawPath = "", ""
		c.Endpoint = u.String()
	case reference:
		c.Path = getenv("INNGEST_SYSTEM_TRACE_URL_PATH")
	}
	return nil
}

// env reads variables of the exporter and keeps the first error.
type env struct {
	getenv func(string) string
	err    error
}

// get returns the more special of two variables that is set, and its name.
func (e *env) get(suffix string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_TRACES_" + suffix
	if value = strings.TrimSpace(e.getenv(name)); value != "" {
		return name, value
	}
	name = "OTEL_EXPORTER_OTLP_" + suffix
	return name, strings.TrimSpace(e.getenv(name))
}

func (e *env) fail(name, format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%s "+format, append([]any{name}, args...)...)
	}
}

// choice returns the value, which must be one of all; the first if there is none.
func (e *env) choice(suffix string, all ...string) string {
	name, value := e.get(suffix)
	if value == "" {
		return all[0]
	}
	for _, v := range all {
		if v == value {
			return v
		}
	}
	e.fail(name, "is %q; supported are %s", value, strings.Join(all, " and "))
	return all[0]
}

func (e *env) timeout(suffix string) time.Duration {
	name, value := e.get(suffix)
	if value == "" {
		return 0
	}
	ms, err := strconv.ParseInt(value, 10, 32)
	d := time.Duration(ms) * time.Millisecond
	if err != nil || d <= 0 || d > maxTimeout {
		e.fail(name, "must be milliseconds, from 1 to %d", maxTimeout.Milliseconds())
		return 0
	}
	return d
}

// headers reads pairs in the form of W3C baggage. The error does not have the text in it:
// that may be a secret.
func (e *env) headers(suffix string) map[string]string {
	name, text := e.get(suffix)
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || key == "" || strings.ContainsFunc(key, notInToken) || strings.ContainsFunc(value, control) {
			e.fail(name, "must be name=value pairs with percent-encoded values, separated by commas")
			return nil
		}
		out[key] = value
	}
	return out
}
