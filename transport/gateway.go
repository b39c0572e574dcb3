package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"ingot/engine"
	"ingot/internal/jcs"
	"ingot/transport/wire"
)

// gatewayOpts are the options of Gateway and AIGateway operations (spec 01
// §9.12, §9.13).
type gatewayOpts struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	AuthKey string            `json:"auth_key"`
	Format  string            `json:"format"`
	Publish *struct {
		Channel string `json:"channel"`
		Topic   string `json:"topic"`
	} `json:"publish"`
}

// Names of gateway errors in memos.
const (
	gatewayErrorName   = "GatewayError"
	aiGatewayErrorName = "AIGatewayError"
)

// connectionHeaders belong to the connection; a step cannot set them.
var connectionHeaders = map[string]bool{
	"Connection": true, "Content-Length": true, "Host": true, "Keep-Alive": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// performGateway makes the request of one gateway step. A defect in here is a fault of the
// server, not of the step.
func (h *HTTP) performGateway(c *engine.GatewayCall) (res engine.GatewayResult) {
	defer func() {
		if p := recover(); p != nil {
			h.opts.Logger.Error("a gateway request has panicked", "panic", p, "run", c.Ref.RunID, "stack", string(debug.Stack()))
			res = gatewayFailure(c, fmt.Sprintf("internal error: %v", p))
			res.ErrorCode = engine.CodeFault
		}
	}()
	s := scratches.Get().(*scratch)
	defer s.release()
	var o gatewayOpts
	if err := json.Unmarshal(c.Opts, &o); err != nil {
		return gatewayFailure(c, fmt.Sprintf("invalid options: %v", err))
	}
	prepare := s.prepareGateway
	if c.AI {
		prepare = s.prepareAI
	}
	if err := prepare(&o); err != nil {
		return gatewayFailure(c, err.Error())
	}
	var err error
	s.req.begun = time.Now()
	if s.head, err = h.client.do(h.ctx, &s.req, &s.resp, s.req.begun.Add(h.opts.Timeout), s.head); err != nil {
		return failedRequest(c, &s.req, err)
	}
	body := s.resp.Body()
	decoded := strings.EqualFold(string(s.resp.Header.ContentEncoding()), "gzip")
	if decoded {
		if body, s.decoded, err = decodedBody(s.decoded, &s.resp); err != nil {
			return gatewayFailure(c, err.Error())
		}
	}
	if o.Publish != nil && h.opts.Publish != nil {
		h.opts.Publish(o.Publish.Channel, o.Publish.Topic, slices.Clone(body))
	}
	if c.AI {
		res = s.aiResult(c, body)
	} else {
		res = s.gatewayResult(c, &o, body, decoded)
	}
	if len(res.Data) > wire.MaxStepBytes {
		return gatewayFailure(c, "step output size is greater than the limit")
	}
	return res
}

// prepareGateway builds the request of step.fetch.
func (s *scratch) prepareGateway(o *gatewayOpts) (err error) {
	if s.req.target, err = newTarget(o.URL, false); err != nil {
		return err
	}
	if s.req.method = strings.ToUpper(o.Method); s.req.method == "" {
		s.req.method = "POST"
	}
	if !validToken(s.req.method) {
		return fmt.Errorf("invalid method %q", o.Method)
	}
	var text string
	if len(o.Body) > 0 && json.Unmarshal(o.Body, &text) == nil {
		s.body = append(s.body[:0], text...)
	} else {
		s.body = append(s.body[:0], o.Body...) // an SDK that sends JSON unencoded
	}
	s.req.body = s.body
	s.headers = s.headers[:0]
	return s.addHeaders(o.Headers)
}

// prepareAI builds the request of step.ai.infer, with the key where the provider
// expects it.
func (s *scratch) prepareAI(o *gatewayOpts) (err error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return err
	}
	if !validValue(o.AuthKey) {
		return errors.New("invalid auth_key")
	}
	s.headers = append(s.headers[:0], "Content-Type: application/json\r\n"...)
	auth := "Authorization: Bearer "
	switch o.Format {
	case "anthropic":
		auth = "X-Api-Key: "
	case "bedrock":
		auth = "Authorization: "
	case "gemini":
		auth = ""
		q := u.Query()
		q.Set("key", o.AuthKey)
		u.RawQuery = q.Encode()
	}
	if auth != "" {
		s.headers = append(append(append(s.headers, auth...), o.AuthKey...), "\r\n"...)
	}
	if s.req.target, err = targetOf(u, false); err != nil {
		return err
	}
	s.req.method = "POST"
	s.body = append(s.body[:0], o.Body...)
	s.req.body = s.body
	return s.addHeaders(o.Headers)
}

// addHeaders adds the step's own headers, sorted by name.
func (s *scratch) addHeaders(headers map[string]string) error {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !validToken(name) || !validValue(headers[name]) {
			return fmt.Errorf("invalid header %q", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		if connectionHeaders[canonical] {
			continue
		}
		s.req.ownAgent = s.req.ownAgent || canonical == "User-Agent"
		s.req.ownEncoding = s.req.ownEncoding || canonical == "Accept-Encoding"
		s.headers = append(append(append(append(s.headers, canonical...), ": "...), headers[name]...), "\r\n"...)
	}
	s.req.headers = s.headers
	return nil
}

// gatewayResult describes a response of any status.
func (s *scratch) gatewayResult(c *engine.GatewayCall, o *gatewayOpts, body []byte, decoded bool) engine.GatewayResult {
	headers := make(map[string]string)
	for k, v := range s.resp.Header.All() {
		name := string(k)
		if connectionHeaders[name] && name != "Content-Length" || decoded && (name == "Content-Encoding" || name == "Content-Length") {
			continue
		}
		if have, ok := headers[name]; ok {
			headers[name] = have + "," + string(v)
		} else {
			headers[name] = string(v)
		}
	}
	raw, _ := json.Marshal(struct { // strings always marshal
		Body    string            `json:"body"`
		Headers map[string]string `json:"headers"`
		Status  int               `json:"status_code"`
		URL     string            `json:"url"`
	}{string(body), headers, s.resp.StatusCode(), o.URL})
	data, err := jcs.Append(nil, raw)
	if err != nil {
		return gatewayFailure(c, err.Error())
	}
	return engine.GatewayResult{Ref: c.Ref, Data: data}
}

// aiResult is the provider's JSON, or its error.
func (s *scratch) aiResult(c *engine.GatewayCall, body []byte) engine.GatewayResult {
	data, err := jcs.Append(nil, body)
	if err != nil {
		data = jcs.AppendBytes(nil, body)
	}
	if status := s.resp.StatusCode(); status > 299 {
		message := fmt.Sprintf("Error making AI request: unsuccessful status code: %d", status)
		return engine.GatewayResult{Ref: c.Ref, Error: wire.AppendError(nil, aiGatewayErrorName, message, data, string(body))}
	}
	return engine.GatewayResult{Ref: c.Ref, Data: data}
}

// failedRequest is the outcome of a request that got no response that can be read.
func failedRequest(c *engine.GatewayCall, r *request, err error) engine.GatewayResult {
	switch {
	case isShutdown(err):
		res := gatewayFailure(c, errPoolClosed.Error())
		res.ErrorCode = engine.CodeShutdown
		return res
	case errors.Is(err, errTooLarge):
		return gatewayFailure(c, wire.TextTooLarge)
	}
	return gatewayFailure(c, failureText(r, err))
}

// gatewayFailure describes a request that came to nothing.
func gatewayFailure(c *engine.GatewayCall, text string) engine.GatewayResult {
	if c.AI {
		const stack = `{"error":"Error making AI request"}`
		return engine.GatewayResult{Ref: c.Ref, Error: wire.AppendError(nil, aiGatewayErrorName, "Error making AI request: "+text, []byte(stack), stack)}
	}
	return engine.GatewayResult{Ref: c.Ref, Error: wire.AppendError(nil, gatewayErrorName, "Error making gateway request: "+text, nil, "")}
}
