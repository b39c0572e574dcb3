package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"ingot/engine"
	"ingot/engine/function"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// maxRegisterBody bounds a registration: some 30,000 functions.
const maxRegisterBody = 32 << 20

const headerExpectedKind = "X-Inngest-Expected-Server-Kind"

// registerRoutes adds the registration of apps (spec 01 §5, 02 §11.3).
func (s *Server) registerRoutes(r *router) {
	r.signed(fasthttp.MethodPost, "/fn/register", s.register)
	r.signed(fasthttp.MethodDelete, "/fn/remove", s.removeApp)
	s.limitRoutes(r)
}

// registered is the answer to a registration.
type registered struct {
	OK       bool     `json:"ok"`
	Modified bool     `json:"modified"`
	SyncID   ids.UUID `json:"sync_id"`
	AppID    ids.UUID `json:"app_id"`
}

func (s *Server) register(ctx *fasthttp.RequestCtx, _ params) {
	if want := ctx.Request.Header.Peek(headerExpectedKind); len(want) > 0 && string(want) != string(s.opts.Mode) {
		registerErr(ctx, "Expected server kind "+string(s.opts.Mode)+", got "+string(want))
		return
	}
	body := ctx.Request.Body()
	if len(body) > maxRegisterBody {
		publicErr(ctx, fasthttp.StatusRequestEntityTooLarge, "", "The registration is over the max size of 32 MiB")
		return
	}
	req, err := decodeRegistration(body)
	if err != nil {
		registerErr(ctx, "Invalid request: "+err.Error())
		return
	}
	done, err := s.opts.Catalog.Register(req, time.Now().UTC())
	var invalid function.Errors
	switch {
	case err == nil:
	case errors.Is(err, engine.ErrNoAppName):
		publicErr(ctx, fasthttp.StatusBadRequest, "", err.Error())
		return
	case errors.Is(err, engine.ErrBlockedSDK):
		publicErr(ctx, fasthttp.StatusBadRequest, engine.AppErrorBlockedSDK, err.Error())
		return
	case errors.As(err, &invalid):
		s.log.Warn("an app was not synced: its functions are invalid", "app", req.AppName, "url", req.URL, "error", invalid.Error())
		publicErr(ctx, fasthttp.StatusBadRequest, "", "At least one function is invalid")
		return
	case errors.Is(err, engine.ErrDuplicateFunction):
		s.internalErr(ctx, "Error saving function", err)
		return
	default:
		s.internalErr(ctx, "Error upserting app", err)
		return
	}
	if done.Modified {
		s.log.Info("app synced", "app", req.AppName, "url", req.URL, "sdk", req.SDK, "functions", len(req.Functions))
	}
	// Without a final newline, unlike all other answers.
	b, err := json.Marshal(registered{OK: true, Modified: done.Modified, SyncID: ids.NewUUID(), AppID: done.AppID})
	if err != nil {
		s.internalErr(ctx, "Error upserting app", err)
		return
	}
	ctx.SetContentType(contentTypeJSON)
	ctx.SetBody(b)
}

// decodeRegistration reads the request as a stream decoder does: what follows the
// first value is ignored, and the error texts are those of encoding/json.
func decodeRegistration(body []byte) (*sdk.RegisterRequest, error) {
	req := new(sdk.RegisterRequest)
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(req); err != nil {
		return nil, err //nolint:wrapcheck // the text is part of the protocol
	}
	return req, nil
}

// registerErr answers 400 with the one-field form. SDKs take its lack of a
// `status` as 200 towards whoever asked them to sync (spec 01 §5.5).
func registerErr(ctx *fasthttp.RequestCtx, text string) {
	writeJSON(ctx, fasthttp.StatusBadRequest, struct {
		Error string `json:"error"`
	}{text})
}

// removeApp archives the app with a URL (spec 01 §5.10).
func (s *Server) removeApp(ctx *fasthttp.RequestCtx, _ params) {
	raw := string(ctx.QueryArgs().Peek("url"))
	found, err := s.opts.Catalog.RemoveByURL(raw, time.Now().UTC())
	switch {
	case err != nil:
		s.internalErr(ctx, "Error removing app", err)
	case !found:
		publicErr(ctx, fasthttp.StatusNotFound, "", "App not found: "+raw)
	}
}
