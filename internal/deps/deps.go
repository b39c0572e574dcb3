// Package deps pins modules while the packages that use them are being written.
package deps

import (
	_ "cel.dev/cel-go/cel"
	_ "github.com/bytedance/sonic"
	_ "github.com/cespare/xxhash/v2"
	_ "github.com/cockroachdb/pebble/v2"
	_ "github.com/cockroachdb/pebble/v2/vfs"
	_ "github.com/cockroachdb/pebble/v2/bloom"
	_ "github.com/fasthttp/websocket"
	_ "github.com/google/uuid"
	_ "github.com/klauspost/compress/gzip"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/andybalholm/brotli"
	_ "github.com/oklog/ulid/v2"
	_ "github.com/panjf2000/ants/v2"
	_ "github.com/robfig/cron/v3"
	_ "github.com/urfave/cli/v3"
	_ "github.com/valyala/fasthttp"
)
