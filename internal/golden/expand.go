package golden

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// Expand turns a template into text to send: known labels become their values,
// unknown ones fresh values, which they stand for from then on. Times become at.
func (b *Bindings) Expand(template string, at time.Time) string {
	var out strings.Builder
	for _, p := range parse(template) {
		if p.kind == "" {
			out.WriteString(p.text)
			continue
		}
		v, ok := b.Value(p.text)
		if p.kind == "JWT" {
			v, ok = b.token(p.text, at), true
		}
		if !ok {
			v = fresh(&p, at)
			if p.bound() {
				// A fresh value belongs to no other label.
				_ = b.bind(&p, v)
			}
		}
		out.WriteString(v)
	}
	return out.String()
}

// fresh makes a value of the placeholder's kind.
func fresh(p *part, at time.Time) string {
	switch p.kind {
	case "ULID":
		return ulid.MustNew(ulid.Timestamp(at), rand.Reader).String()
	case "UUID":
		return ids.NewUUID().String()
	case "HEX16", "HEX32", "HEX64":
		n, _ := strconv.Atoi(p.kind[3:])
		buf := make([]byte, n/2)
		_, _ = rand.Read(buf)
		return hex.EncodeToString(buf)
	case "MS":
		return strconv.FormatInt(at.UnixMilli(), 10)
	case "SEC":
		return strconv.FormatInt(at.Unix(), 10)
	case "US":
		return strconv.FormatInt(at.UnixMicro(), 10)
	case "NS":
		return strconv.FormatInt(at.UnixNano(), 10)
	case "TIME":
		form := map[byte]string{'s': "2006-01-02T15:04:05", 'm': "2006-01-02T15:04:05.000", 'n': "2006-01-02T15:04:05.000000000"}
		return at.UTC().Format(form[p.label[0]]) + strings.TrimLeft(p.label, "mns")
	case "HTTPDATE":
		return at.UTC().Format(http.TimeFormat)
	case "PATH":
		return "/srv/app.js"
	}
	// Ends without a value and job ids cannot be made up; the text stays as recorded,
	// and the comparison shows it.
	return p.text
}

// token makes a token with the recorded claims. Nobody checks its signature: those
// that the server checks are the server's own.
func (b *Bindings) token(template string, at time.Time) string {
	var out []string
	for _, section := range tokenSections(template) {
		out = append(out, base64.RawURLEncoding.EncodeToString([]byte(b.Expand(section, at))))
	}
	return strings.Join(append(out, "c2ln"), ".")
}
