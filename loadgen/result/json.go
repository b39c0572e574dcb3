package result

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// histogramJSON is the JSON form of a Histogram, in microseconds.
type histogramJSON struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	Min   int64   `json:"min"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p999"`
	Max   int64   `json:"max"`
	// Encoded is HdrHistogram's V2 compressed form in base64.
	Encoded string `json:"hdr"`
}

// MarshalJSON implements json.Marshaler.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encoding a histogram: %w", err)
	}
	j := histogramJSON{Count: h.TotalCount(), Encoded: string(encoded)}
	if j.Count > 0 {
		j.Mean, j.Min, j.Max = h.Mean(), h.Min(), h.Max()
		j.P50, j.P90, j.P99, j.P999 = h.Quantile(50), h.Quantile(90), h.Quantile(99), h.Quantile(99.9)
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler. Only the encoded form counts.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var j histogramJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	dec, err := hdrhistogram.Decode([]byte(j.Encoded))
	if err != nil {
		return fmt.Errorf("decoding a histogram: %w", err)
	}
	h.Histogram = dec
	return nil
}

// Quantile returns the value in microseconds at q percent (0 to 100).
func (h *Histogram) Quantile(q float64) int64 { return h.ValueAtQuantile(q) }

// Marshal returns the indented JSON of a result.
func (r *Result) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unmarshal reads a result and refuses those of newer versions.
func Unmarshal(b []byte) (*Result, error) {
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	if r.Schema < 1 || r.Schema > Schema {
		return nil, fmt.Errorf("reading a result: its schema is %d, this program reads 1 to %d", r.Schema, Schema)
	}
	return r, nil
}
