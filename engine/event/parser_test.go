package event

import "testing"

func TestParserAgainstEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, body := range seedBodies(t) {
		name := string(body)
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, body)
		})
	}
}
