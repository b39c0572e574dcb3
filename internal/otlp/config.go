package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"ingot/engine/function"
	"ingot/internal/ids"
	"ingot/storage/history"

	"github.com/oklog/ulid/v2"
)

// Defaults of a Config.
const (
	DefaultPath    = "/v1/traces"
	DefaultService = "ingot"
	DefaultTimeout = 10 * time.Second
)

// maxTimeout bounds Config.Timeout.
const maxTimeout = 5 * time.Minute

// Traces reads what was recorded of runs; history.Reader implements it.
type Traces interface {
	Traces(ctx context.Context, ids []ulid.ULID) ([]history.Trace, error)
}

// Config says where traces go, and where they come from.
type Config struct {
	// Endpoint is the collector: an http or https URL, or host:port for http.
	Endpoint string
	// Path is added to Endpoint; DefaultPath if empty.
	Path string
	// Headers are sent with each request, such as a collector's key.
	Headers map[string]string
	// ServiceName is the resource's service.name; DefaultService if empty.
	ServiceName string
	// Timeout bounds one request; DefaultTimeout if 0, at most five minutes.
	Timeout time.Duration
	// Plain leaves requests uncompressed; otherwise they are gzip.
	Plain bool

	// History is what ended runs are read from.
	History Traces
	// Function returns a function as registered now, or nil. It may be nil itself.
	Function func(ids.UUID) *function.Function
	Logger   *slog.Logger
}

// Enabled reports whether traces are to be exported at all.
func (c *Config) Enabled() bool { return c.Endpoint != "" }

// check sets defaults and returns the URL that requests go to.
func (c *Config) check() (target string, err error) {
	if c.History == nil || c.Logger == nil {
		return "", errors.New("otlp: History and Logger must be set")
	}
	u, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return "", err
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return "", fmt.Errorf("otlp: Timeout %s is not between 0 and %s", c.Timeout, maxTimeout)
	}
	for name, value := range c.Headers {
		if name == "" || strings.ContainsFunc(name, notInToken) || strings.ContainsFunc(value, control) {
			return "", fmt.Errorf("otlp: the name or the value of the header %q cannot be sent", name)
		}
	}
	if c.Function == nil {
		c.Function = func(ids.UUID) *function.Function { return nil }
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.ServiceName = cmp.Or(c.ServiceName, DefaultService)
	return u.JoinPath(cmp.Or(c.Path, DefaultPath)).String(), nil
}

// parseEndpoint reads an endpoint. Its error does not have the endpoint in it, which may
// hold a password.
func parseEndpoint(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint for traces must be an http or https URL, or host:port")
	}
	return u, nil
}

// notInToken reports characters that names of headers do not have (RFC 9110 §5.6.2).
func notInToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
