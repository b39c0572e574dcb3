package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// bodyTooLarge says that a body exceeds the limit after decompression.
type bodyTooLarge struct{ limit int }

func (e bodyTooLarge) Error() string {
	return fmt.Sprintf("Request body is over the max size: Max %d bytes", e.limit)
}

func statusOf(err error) int {
	var large bodyTooLarge
	if errors.As(err, &large) {
		return fasthttp.StatusRequestEntityTooLarge
	}
	return fasthttp.StatusBadRequest
}

// plainBody returns the request's body, decompressed if Content-Encoding says
// gzip, br, zstd or deflate. The reference ignores that header; so do we for other
// values, and where a body that claims to be compressed is plain JSON.
func (s *Server) plainBody(ctx *fasthttp.RequestCtx, in *ingest) ([]byte, error) {
	body := ctx.Request.Body()
	encoding := ctx.Request.Header.ContentEncoding()
	if len(encoding) == 0 {
		return body, nil
	}
	plain, known, err := decompress(in.plain[:0], body, string(bytes.ToLower(encoding)), s.opts.MaxBody)
	if !known {
		return body, nil
	}
	in.plain = plain
	if err == nil {
		return plain, nil
	}
	if start := bytes.TrimLeft(body, " \t\r\n"); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return body, nil
	}
	return nil, err
}

// resetReader is a decompressor that can be used again.
type resetReader interface {
	io.Reader
	reset(src io.Reader) error
}

type (
	gzipReader   struct{ gzip.Reader }
	brotliReader struct{ brotli.Reader }
	// deflateReader reads both what RFC 9110 means by deflate (zlib) and the raw
	// form that some senders use instead.
	deflateReader struct {
		io.Reader
		zlib, raw io.ReadCloser
	}
)

func (r *gzipReader) reset(src io.Reader) error   { return r.Reset(src) }
func (r *brotliReader) reset(src io.Reader) error { return r.Reset(src) }

func (r *deflateReader) reset(src io.Reader) error {
	b := src.(*bytes.Reader)
	var head [2]byte
	if _, err := b.ReadAt(head[:], 0); err != nil {
		return io.ErrUnexpectedEOF
	}
	// A zlib header is a multiple of 31 with method 8 in its low bits.
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		var err error
		if r.zlib == nil {
			r.zlib, err = zlib.NewReader(b)
		} else {
			err = r.zlib.(zlib.Resetter).Reset(b, nil)
		}
		r.Reader = r.zlib
		return err
	}
	if r.raw == nil {
		r.raw = flate.NewReader(b)
	} else if err := r.raw.(flate.Resetter).Reset(b, nil); err != nil {
		return err
	}
	r.Reader = r.raw
	return nil
}

var (
	gzipPool    = sync.Pool{New: func() any { return new(gzipReader) }}
	brotliPool  = sync.Pool{New: func() any { return new(brotliReader) }}
	deflatePool = sync.Pool{New: func() any { return new(deflateReader) }}
	sourcePool  = sync.Pool{New: func() any { return new(bytes.Reader) }}
	zstdPool    = sync.Pool{New: func() any {
		// One goroutine-free decoder per request; a window above 8 MiB is not for HTTP (RFC 9659).
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic(err) // the options are constant
		}
		return &zstdReader{d}
	}}
)

type zstdReader struct{ *zstd.Decoder }

func (r *zstdReader) reset(src io.Reader) error { return r.Reset(src) }

// decompress appends the decompressed src to dst. known is false if encoding is
// not one of ours. More than limit bytes are an error.
func decompress(dst, src []byte, encoding string, limit int) (out []byte, known bool, err error) {
	var pool *sync.Pool
	switch encoding {
	case "gzip", "x-gzip":
		pool = &gzipPool
	case "br":
		pool = &brotliPool
	case "zstd":
		pool = &zstdPool
	case "deflate":
		pool = &deflatePool
	default:
		return dst, false, nil
	}
	if len(src) == 0 {
		return dst, true, nil
	}
	r := pool.Get().(resetReader)
	defer pool.Put(r)
	from := sourcePool.Get().(*bytes.Reader)
	defer sourcePool.Put(from)
	from.Reset(src)
	defer from.Reset(nil)
	if err := r.reset(from); err != nil {
		return dst, true, fmt.Errorf("Unable to decompress %s request body: %w", encoding, err) //nolint:staticcheck // the event API's style
	}
	dst, err = readLimited(dst, r, limit)
	if err != nil && !errors.As(err, new(bodyTooLarge)) {
		err = fmt.Errorf("Unable to decompress %s request body: %w", encoding, err) //nolint:staticcheck // the event API's style
	}
	return dst, true, err
}

// readLimited appends all of r to dst, at most limit bytes.
func readLimited(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst, bodyTooLarge{limit}
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
