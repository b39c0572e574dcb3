package golden

import (
	"strings"
	"testing"
)

// TestCheckSignature checks a signature that another program computed, and changes of it.
func TestCheckSignature(t *testing.T) {
	t.Parallel()
	const signature = "t=1795311327&s=03162162e0424c38696e9738c8da0392549fd8a6c52c51e64959bd4db95e047b"
	for name, test := range map[string]struct{ header, body, says string }{
		"right":      {signature, `{"a":1}`, ""},
		"other form": {signature, `{ "a": 1 }`, ""},
		"other body": {signature, `{"a":2}`, "is not that of the body"},
		"other time": {strings.Replace(signature, "7&", "8&", 1), `{"a":1}`, "is not that of the body"},
		"none":       {"", `{"a":1}`, ""},
		"no query":   {"%zz", `{"a":1}`, "invalid URL escape"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := checkSignature(Header{"x-inngest-signature": {test.header}}, []byte(test.body)); test.says == "" && d != "" || !strings.Contains(d, test.says) {
				t.Errorf("%q does not say %q", d, test.says)
			}
		})
	}
}
