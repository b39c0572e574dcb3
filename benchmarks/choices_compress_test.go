package benchmarks

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"ingot/engine/event"
	"ingot/internal/ids"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

func sizeName(n int) string {
	if n >= 1<<10 && n%(1<<10) == 0 {
		return fmt.Sprintf("%dKB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

// order returns JSON of about size bytes with keys that repeat and values that do
// not, as payloads have them.
func order(random *rand.Rand, size int) []byte {
	b := fmt.Appendf(nil, `{"order":"%016x","amount":%d,"lines":[`, random.Uint64(), random.IntN(100_000))
	for first := true; first || len(b) < size-60; first = false {
		if !first {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"sku":"%08x","qty":%d,"price":%d}`, random.Uint32(), 1+random.IntN(9), random.IntN(10_000))
	}
	return append(b, "]}"...)
}

// walGroup is what one group commit of the log writes: the records of 64 requests.
func walGroup(random *rand.Rand) []byte {
	var b []byte
	for range connections {
		ev := event.Event{InternalID: ids.Derive(1, order(random, 0)), Name: []byte("shop/order.paid"), Data: order(random, 300), TS: 1790000000000, ReceivedAt: 1790000000000}
		b = ev.AppendRecord(b)
	}
	return b
}

// codec is a way to store bytes.
type codec struct {
	name           string
	encode, decode func(dst, src []byte) ([]byte, error)
}

func codecs(b *testing.B) []codec {
	list := []codec{
		{"none", plainCopy, plainCopy},
		{"s2", func(dst, src []byte) ([]byte, error) { return s2.Encode(dst[:cap(dst)], src), nil }, s2Decode},
		{"s2-better", func(dst, src []byte) ([]byte, error) { return s2.EncodeBetter(dst[:cap(dst)], src), nil }, s2Decode},
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(decoder.Close)
	for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression} {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, codec{"zstd-" + level.String(),
			func(dst, src []byte) ([]byte, error) { return encoder.EncodeAll(src, dst), nil },
			func(dst, src []byte) ([]byte, error) { return decoder.DecodeAll(src, dst) }})
	}
	return list
}

func plainCopy(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }

func s2Decode(dst, src []byte) ([]byte, error) { return s2.Decode(dst[:cap(dst)], src) }

// BenchmarkChoiceCompress packs and unpacks payloads and groups of the log; ratio is
// the packed size over the plain one.
func BenchmarkChoiceCompress(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	inputs := []struct {
		name string
		data []byte
	}{{"100B", order(random, 100)}, {"1KB", order(random, 1<<10)}, {"32KB", order(random, 32<<10)}, {"wal-group", walGroup(random)}}
	for _, in := range inputs {
		for _, c := range codecs(b) {
			packed, err := c.encode(make([]byte, 0, s2.MaxEncodedLen(len(in.data))), in.data)
			if err != nil {
				b.Fatal(err)
			}
			if back, err := c.decode(make([]byte, 0, len(in.data)), packed); err != nil || !bytes.Equal(back, in.data) {
				b.Fatalf("%s does not come back from %s: %v", in.name, c.name, err)
			}
			benchCodec(b, in.name+"/"+c.name+"/pack", in.data, len(in.data), c.encode, float64(len(packed))/float64(len(in.data)))
			benchCodec(b, in.name+"/"+c.name+"/unpack", packed, len(in.data), c.decode, float64(len(packed))/float64(len(in.data)))
		}
	}
}

func benchCodec(b *testing.B, name string, src []byte, plain int, f func(dst, src []byte) ([]byte, error), ratio float64) {
	b.Run(name, func(b *testing.B) {
		dst := make([]byte, 0, s2.MaxEncodedLen(plain))
		b.ReportAllocs()
		b.SetBytes(int64(plain))
		for b.Loop() {
			if _, err := f(dst, src); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(ratio, "ratio")
	})
}
