package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ingot/internal/jcs"
	"ingot/transport/wire"
)

// Errors of a ping, as stored with an app (spec 01 §5.2).
const (
	PingUnreachable       = "unreachable"
	PingUnsupported       = "unsupported_protocol"
	PingMissingServerKey  = "missing_server_signing_key"
	PingSDKVersionDenied  = "sdk_version_denied"
	pingTimeout           = 10 * time.Second
	maxPingBody           = 1 << 20
	serverKindCloud       = "cloud"
	sdkVersionDeniedStart = "App sync was blocked because this application is using an Inngest JavaScript SDK"
)

// PingResult is what came of asking an app to register.
type PingResult struct {
	// Error is what to store with the app; empty on success.
	Error string
	// Status is the answer's HTTP status, 0 if there was none.
	Status int
	// IsSDK says that an SDK answered.
	IsSDK bool
	// Body is the answer's body, cut at 1 MiB.
	Body []byte
}

// Ping asks the app at a URL to register itself (spec 01 §5.2). key signs the
// request if it is not empty; kind is the server's, "dev" or "cloud". Any
// address may be called; [HTTP.Ping] obeys the driver's network policy.
func Ping(ctx context.Context, url, key, kind string) PingResult {
	return ping(ctx, newDialer(NetworkPolicy{}, pingTimeout, nil), wire.NewSigner(key), url, kind)
}

// Ping is the package's Ping with the driver's key, network policy and roots.
func (h *HTTP) Ping(ctx context.Context, url, kind string) PingResult {
	return ping(ctx, h.dialer, h.signer, url, kind)
}

// Probe reports whether an SDK answers a GET at a URL (spec 01 §5.9). Any address
// may be called; [HTTP.Probe] obeys the driver's network policy.
func Probe(ctx context.Context, url string) bool {
	return probe(ctx, newDialer(NetworkPolicy{}, pingTimeout, nil), url)
}

// Probe is the package's Probe with the driver's network policy and roots.
func (h *HTTP) Probe(ctx context.Context, url string) bool { return probe(ctx, h.dialer, url) }

func ping(ctx context.Context, d *dialer, signer *wire.Signer, rawURL, kind string) PingResult {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return PingResult{Error: PingUnsupported}
	}
	if kind == serverKindCloud && signer == nil {
		return PingResult{Error: PingMissingServerKey}
	}
	body := append(jcs.AppendString([]byte(`{"url":`), rawURL), '}')
	header := http.Header{"Content-Type": {"application/json"}, "X-Inngest-Server-Kind": {kind}}
	if signer != nil {
		header.Set("X-Inngest-Signature", string(signer.Append(nil, body, time.Now().Unix())))
	}
	resp, answer, err := registrationRequest(ctx, d, http.MethodPut, rawURL, header, body)
	if err != nil {
		return PingResult{Error: PingUnreachable}
	}
	return PingResult{
		Error:  pingError(resp.StatusCode, answer),
		Status: resp.StatusCode,
		IsSDK:  resp.Header.Get("X-Inngest-Sdk") != "",
		Body:   answer,
	}
}

func probe(ctx context.Context, d *dialer, rawURL string) bool {
	resp, _, err := registrationRequest(ctx, d, http.MethodGet, rawURL, http.Header{}, nil)
	return err == nil && resp.Header.Get("X-Inngest-Sdk") != ""
}

// registrationRequest performs a single request on a connection of its own. It
// uses net/http: these requests are rare, and its client has the redirect rules
// that the reference has for them.
func registrationRequest(ctx context.Context, d *dialer, method, rawURL string, header http.Header, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, rawURL, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = header
	rt := &http.Transport{
		DialContext:         d.dialAddr,
		TLSClientConfig:     d.tls.Clone(),
		TLSHandshakeTimeout: tlsTimeout,
		DisableKeepAlives:   true,
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read as far as needed
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxPingBody))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	return resp, answer, nil
}

// pingTexts are the parts of an SDK's message by which the reference knows what
// is wrong.
var pingTexts = []struct{ contains, code string }{
	{"Your signing key is invalid", "invalid_signing_key"},
	{"No functions registered", "no_functions"},
	{"function is invalid", "invalid_function"},
	{"You didn't specify your workspace's signing key", "missing_signing_key"},
	{"No INNGEST_ENV branch name found", "missing_branch_env_name"},
	{sdkVersionDeniedStart, PingSDKVersionDenied},
}

func pingError(status int, body []byte) string {
	var answer struct {
		Message string `json:"message"`
		Code    string `json:"code"`
	}
	_ = json.Unmarshal(body, &answer) // another body has no message
	if answer.Code == PingSDKVersionDenied || strings.HasPrefix(answer.Message, sdkVersionDeniedStart) {
		return PingSDKVersionDenied
	}
	switch status {
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "url_not_found"
	case http.StatusInternalServerError:
		return "internal_server_error"
	case http.StatusBadRequest:
		for _, t := range pingTexts {
			if strings.Contains(answer.Message, t.contains) {
				return t.code
			}
		}
		return answer.Message
	}
	return ""
}
