package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Schema is the version of the JSON form. A reader refuses newer ones.
const Schema = 1

// Marshal returns the indented JSON of a comparison, without its results.
func (c *Comparison) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(c); err != nil {
		return nil, fmt.Errorf("writing a comparison: %w", err)
	}
	return b.Bytes(), nil
}

// Unmarshal reads a comparison. It is nil without an error if the JSON is
// something else.
func Unmarshal(b []byte) (*Comparison, error) {
	var kind struct {
		Schema *int `json:"comparison_schema"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return nil, fmt.Errorf("reading a comparison: %w", err)
	}
	if kind.Schema == nil {
		return nil, nil
	}
	if *kind.Schema < 1 || *kind.Schema > Schema {
		return nil, fmt.Errorf("reading a comparison: its schema is %d, this program reads 1 to %d", *kind.Schema, Schema)
	}
	c := new(Comparison)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("reading a comparison: %w", err)
	}
	return c, nil
}
