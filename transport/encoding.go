package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// decodedBody returns the response's body without its content encoding (spec 01
// §8.9). dst is scratch; the body may share memory with it or with resp. However
// small the input, no more than MaxResponseBytes are ever unpacked.
func decodedBody(dst []byte, resp *fasthttp.Response) (body, scratch []byte, err error) {
	encoding := resp.Header.ContentEncoding()
	if len(encoding) == 0 {
		return resp.Body(), dst, nil
	}
	name := string(bytes.ToLower(encoding))
	switch name {
	case "gzip":
		zr := gzipReaders.Get().(*gzip.Reader)
		defer gzipReaders.Put(zr)
		if err = zr.Reset(bytes.NewReader(resp.Body())); err == nil {
			dst, err = readLimited(dst[:0], zr)
		}
	case "br":
		dst, err = readLimited(dst[:0], brotli.NewReader(bytes.NewReader(resp.Body())))
	default:
		return nil, dst, fmt.Errorf("unsupported content encoding: %q", encoding)
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		err = fmt.Errorf("error decoding %s response body: %w", name, err)
	}
	return dst, dst, err
}

// readLimited reads r to its end, or fails above MaxResponseBytes.
func readLimited(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > MaxResponseBytes:
			return dst, errTooLarge
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}
