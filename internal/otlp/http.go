package otlp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer, maxMessage what is said of it.
	maxAnswer, maxMessage = 64 << 10, 200
)

// answer is what came of one request. Without err the collector took it.
type answer struct {
	err error
	// retry says that the same request may succeed later, after that much time if it is
	// not 0.
	retry bool
	after time.Duration
	// rejected spans will not be taken, whatever is done; message says why.
	rejected int64
	message  string
}

// newClient is a client for one host. A redirected request is not sent elsewhere: it may
// hold a key.
func newClient(timeout time.Duration, dial dialer) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dial, TLSHandshakeTimeout: dialTimeout,
			MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true,
		},
	}
}

// post makes one request.
func (e *Exporter) post(body []byte) answer {
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	for name, value := range e.cfg.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	if !e.cfg.Plain {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		var about *url.Error
		if errors.As(err, &about) {
			err = about.Err // without the URL, which may hold a key
		}
		return answer{err: err, retry: true}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode < 300 {
		return answer{err: fmt.Errorf("its answer broke off: %w", err), retry: true}
	}
	return classify(resp, text, time.Now())
}

// classify reads an answer as OTLP/HTTP has it: 429, 502, 503 and 504 are tried again.
func classify(resp *http.Response, text []byte, now time.Time) answer {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return partial(text)
	}
	a := answer{err: fmt.Errorf("it answered %d: %s", resp.StatusCode, short(text))}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		a.retry = true
		a.after = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	return a
}

// partial reads what a collector refused of a request that it took. An answer in another
// form than JSON says nothing.
func partial(text []byte) answer {
	var in struct {
		Partial struct {
			Rejected json.RawMessage `json:"rejectedSpans"` // a number, or one as text
			Message  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(text, &in) != nil {
		return answer{}
	}
	n, _ := strconv.ParseInt(strings.Trim(string(in.Partial.Rejected), `"`), 10, 64) // 0 if it is none
	return answer{rejected: n, message: short([]byte(in.Partial.Message))}
}

// retryAfter reads the header: seconds or a date. 0 if it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// short is the beginning of a text that others wrote, fit for a line of a log.
func short(text []byte) string {
	s := strings.ToValidUTF8(string(text[:min(len(text), maxMessage)]), "")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}
