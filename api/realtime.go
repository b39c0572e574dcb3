package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ingot/internal/ids"
	"ingot/internal/realtime"

	"github.com/valyala/fasthttp"
)

// Limits of the realtime API (spec 02 §14).
const (
	maxRealtimeMessage = 512 << 10
	maxTeeBytes        = 1_024_000
	// maxTokenTopics bounds the topics of a token and of one publication.
	maxTokenTopics = 250
	maxTokenBody   = 256 << 10

	streamLife    = 15 * time.Minute
	keepAlive     = 15 * time.Second
	writeDeadline = 30 * time.Second
)

const realtimePublishPath = "/v1/realtime/publish"

// realtimeRoutes adds the realtime API (spec 02 §6.9, 03 §25). A realtime token
// stands in for the signing key, so most routes check for themselves.
func (s *Server) realtimeRoutes(r *router) {
	r.signed(fasthttp.MethodPost, "/v1/realtime/token", s.realtimeNewToken)
	r.handle(fasthttp.MethodPost, realtimePublishPath, s.realtimePublish)
	r.handle(fasthttp.MethodPost, realtimePublishPath+"/tee", s.realtimeTee)
	r.handle(fasthttp.MethodGet, "/v1/realtime/connect", s.realtimeConnect)
	r.handle(fasthttp.MethodGet, "/v1/realtime/sse", s.realtimeSSE)
}

// realtimeNewToken makes a token with which a browser may subscribe.
func (s *Server) realtimeNewToken(ctx *fasthttp.RequestCtx, _ params) {
	bad := func(text string) { publicErr(ctx, fasthttp.StatusBadRequest, "", "Invalid request: "+text) }
	body := ctx.PostBody()
	var topics []topicClaim
	if len(body) > maxTokenBody || json.Unmarshal(body, &topics) != nil || topics == nil {
		bad("must provide a list of topics")
		return
	}
	if len(topics) > maxTokenTopics {
		bad(fmt.Sprintf("more than %d topics", maxTokenTopics))
		return
	}
	for i := range topics {
		topics[i].EnvID = ids.EnvID
	}
	token, err := s.realtimeToken(topics, realtimeTokenLife, time.Now())
	if err != nil {
		s.internalErr(ctx, "Unable to create a token", err)
		return
	}
	writeJSON(ctx, fasthttp.StatusCreated, struct {
		JWT string `json:"jwt"`
	}{token})
}

// realtimeAuth finds out who asks: the claims of a realtime token, or nil for the
// holder of the signing key. It answers and returns false for everyone else.
func (s *Server) realtimeAuth(ctx *fasthttp.RequestCtx) (*realtimeClaims, bool) {
	token := string(ctx.QueryArgs().Peek("token"))
	if h := string(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)); len(h) > len("Bearer ")+1 {
		token = h[len("Bearer "):]
	}
	if claims, err := s.verifyRealtimeToken(token, time.Now()); err == nil {
		return claims, true
	}
	if !s.auth.ok(ctx) {
		unauthorized(ctx)
		return nil, false
	}
	return nil, true
}

// subscriberAuth returns the topics of the subscriber's token, or answers and
// returns false. The signing key is no subscription: it names no topics.
func (s *Server) subscriberAuth(ctx *fasthttp.RequestCtx) ([]realtime.Topic, bool) {
	claims, ok := s.realtimeAuth(ctx)
	if !ok {
		return nil, false
	}
	if claims == nil || len(claims.Topics) == 0 {
		publicErr(ctx, fasthttp.StatusUnauthorized, "", "Not authenticated")
		return nil, false
	}
	return hubTopics(claims.Topics), true
}

// publisherAuth answers and returns false for those who may not publish.
func (s *Server) publisherAuth(ctx *fasthttp.RequestCtx) bool {
	claims, ok := s.realtimeAuth(ctx)
	if ok && claims != nil && !claims.Publish {
		publicErr(ctx, fasthttp.StatusUnauthorized, "", "Not authenticated for publishing")
		return false
	}
	return ok
}

// subscribeErr answers a subscription that the hub refused.
func (s *Server) subscribeErr(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusServiceUnavailable
	if errors.Is(err, realtime.ErrLimit) {
		status = fasthttp.StatusTooManyRequests
	}
	ctx.Response.Header.Set(headerRetryAfter, retryAfterSeconds)
	publicErr(ctx, status, "", err.Error())
}

// isStream reports whether a publication is a stream of text (spec 01 §15.4).
func isStream(ctx *fasthttp.RequestCtx) bool {
	return strings.HasPrefix(strings.ToLower(string(ctx.Request.Header.ContentType())), "text/stream")
}
