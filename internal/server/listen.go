package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"ingot/internal/config"
)

// listen takes the port. Where it is taken, dev looks for the next free one above it and
// start fails, as the reference does (spec 06 §3, §4): other programs know where a
// production server is.
func listen(cfg Config) (net.Listener, error) {
	if cfg.Mode == config.ModeStart {
		ln, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
		if err != nil {
			return nil, fmt.Errorf("service api errored: %w", err)
		}
		return ln, nil
	}
	for port := cfg.Port; ; port++ {
		ln, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(port)))
		switch {
		case err == nil:
			if port != cfg.Port {
				cfg.Logger.Warn("Port conflict, using new port", "name", "dev server api", "from", cfg.Port, "to", port)
			}
			return ln, nil
		case !errors.Is(err, errAddrInUse), cfg.Port == 0, port-cfg.Port >= portsTried, port >= 65535:
			return nil, fmt.Errorf("could not find open port for dev server api: %w", err)
		}
	}
}
