package server

import (
	"context"
	"errors"

	"ingot/api"
	"ingot/transport"
)

// appClient lets the syncer ask apps through the transport, with its network
// policy and keys.
type appClient struct {
	reach *transport.HTTP
	mode  api.Mode
}

var _ api.AppClient = appClient{}

// Ping implements api.AppClient.
func (c appClient) Ping(ctx context.Context, url string) (status int, body []byte, err error) {
	res := c.reach.Ping(ctx, url, string(c.mode))
	if res.Status == 0 {
		return 0, nil, errors.New(res.Error)
	}
	return res.Status, res.Body, nil
}

// Probe implements api.AppClient.
func (c appClient) Probe(ctx context.Context, url string) (bool, error) {
	return c.reach.Probe(ctx, url), nil
}
