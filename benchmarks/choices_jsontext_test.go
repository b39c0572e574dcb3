//go:build goexperiment.jsonv2

package benchmarks

import "encoding/json/jsontext"

// canonicalExperiment is the standard library's RFC 8785, while it is an experiment.
var canonicalExperiment = []canonicalAlternative{
	{"jsontext", func(dst, src []byte) ([]byte, error) {
		v := jsontext.Value(append(dst, src...))
		err := v.Canonicalize()
		return v, err
	}},
}
