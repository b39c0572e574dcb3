package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"

	"github.com/valyala/fasthttp"
)

// maxFormParts bounds the parts of a multipart body.
const maxFormParts = 1000

// formBody turns a body that a browser form has sent into a JSON object with a
// list per field, as the reference does (spec 02 §3.2). Since the name of an event
// is no list, such an event is always refused; the conversion finds out with which
// words. ok is false if the content type is not that of a form.
func formBody(ctx *fasthttp.RequestCtx, body []byte) (object []byte, ok bool) {
	media, attrs, err := mime.ParseMediaType(string(ctx.Request.Header.ContentType()))
	if err != nil {
		return nil, false
	}
	var fields map[string][]string
	switch media {
	case "application/x-www-form-urlencoded":
		fields, err = url.ParseQuery(string(body))
	case "multipart/form-data":
		fields, err = multipartFields(body, attrs["boundary"])
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	object, err = json.Marshal(fields)
	return object, err == nil
}

func multipartFields(body []byte, boundary string) (map[string][]string, error) {
	fields := map[string][]string{}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxFormParts {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		fields[part.FormName()] = append(fields[part.FormName()], string(value))
	}
	return fields, nil
}
