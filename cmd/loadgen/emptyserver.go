package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/urfave/cli/v3"
	"github.com/valyala/fasthttp"
)

// emptyAnswer has the size of the answer to an event.
var emptyAnswer = []byte(`{"ids":["01J00000000000000000000000"],"status":200}`)

// maxEmptyBody bounds a request to the empty server.
const maxEmptyBody = 64 << 20

// emptyServerCommand is the ceiling: what the same client does against a server
// that does nothing.
func emptyServerCommand() *cli.Command {
	return &cli.Command{
		Name:   "empty-server",
		Usage:  "Answer every request with a fixed small JSON, for measuring what the machine can do",
		Hidden: true,
		Flags:  []cli.Flag{&cli.IntFlag{Name: "port", Required: true, Usage: "`port` on 127.0.0.1"}},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(cmd.Int("port"))))
			if err != nil {
				return fmt.Errorf("port: %w", err)
			}
			return serveEmpty(ctx, ln)
		},
	}
}

// serveEmpty answers until ctx ends.
func serveEmpty(ctx context.Context, ln net.Listener) error {
	srv := &fasthttp.Server{
		NoDefaultServerHeader: true, NoDefaultDate: true, MaxRequestBodySize: maxEmptyBody,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(emptyAnswer)
		},
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		err := srv.Shutdown()
		_ = ln.Close() // a server that had not begun to serve has not closed it
		return errors.Join(err, <-served)
	}
}
