package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// requestTimeout bounds one question whether the server is there.
	requestTimeout = 5 * time.Second
	// versionLimit is how much of an answer is read to find the version in it.
	versionLimit = 1 << 20
)

// newClient returns one that leaves nothing behind: no connection and no goroutine
// lives on while the server is measured. It uses no proxy and follows no redirect,
// which could lead to another machine.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// healthy returns nil if the server answers 200 where one of the known servers does.
func healthy(ctx context.Context, client *http.Client, base string) error {
	var errs []error
	for _, path := range []string{"/health", "/dev", "/"} {
		status, _, err := get(ctx, client, base+path)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if err != nil {
			return err // no connection: another path will not help
		}
		errs = append(errs, fmt.Errorf("GET %s: status %d", path, status))
	}
	return errors.Join(errs...)
}

// version returns what the server says its version is, or nothing.
func version(ctx context.Context, client *http.Client, base string) string {
	for _, path := range []string{"/dev", "/health"} {
		status, body, err := get(ctx, client, base+path)
		if err != nil || status != http.StatusOK {
			continue
		}
		var answer struct {
			Version string `json:"version"`
		}
		if json.Unmarshal(body, &answer) == nil && answer.Version != "" {
			return answer.Version
		}
	}
	return ""
}

func get(ctx context.Context, client *http.Client, url string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, versionLimit))
	return res.StatusCode, body, err
}
