package golden

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// Answers reads the JSON values of a file that is compressed with gzip: the single answers
// that are replayed elsewhere, one a line, or one value with all of them.
func Answers[T any](t testing.TB, file string) (out []T) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for d := json.NewDecoder(bufio.NewReader(z)); ; {
		var x T
		switch err := d.Decode(&x); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("value %d of %s: %v", len(out)+1, file, err)
		}
		out = append(out, x)
	}
}

// Answer is Answers for a file of one value.
func Answer[T any](t testing.TB, file string) T {
	t.Helper()
	all := Answers[T](t, file)
	if len(all) != 1 {
		t.Fatalf("%s has %d values", file, len(all))
	}
	return all[0]
}
