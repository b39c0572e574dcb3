package api

import (
	"context"
	"time"

	"ingot/internal/ids"

	"github.com/valyala/fasthttp"
)

// What the only account and environment look like (spec 02 §8.4).
const (
	v2Since   = "2021-05-13T09:30:04Z"
	v2EnvName = "dev"
	headerEnv = "X-Inngest-Env"
)

// v2AccountMethods adds what is said about the account, its environment and its keys.
func (s *Server) v2AccountMethods(add func(method, path string, call v2Call)) {
	add(fasthttp.MethodGet, "/health", func(context.Context, *fasthttp.RequestCtx, params) (v2Answer, error) {
		return v2Answer{data: struct {
			Status string `json:"status"`
		}{"ok"}}, nil
	})
	add(fasthttp.MethodGet, "/account", v2Account)
	add(fasthttp.MethodGet, "/envs", v2Envs)
	// Functions, since keys change while the server runs.
	add(fasthttp.MethodGet, "/keys/events", s.v2Keys(func() []string { return s.opts.EventKeys }))
	add(fasthttp.MethodGet, "/keys/signing", s.v2Keys(func() []string {
		if s.opts.SigningKey == "" {
			return nil
		}
		return []string{s.opts.SigningKey}
	}))
}

func v2Account(context.Context, *fasthttp.RequestCtx, params) (v2Answer, error) {
	return v2Answer{data: struct {
		CreatedAt string `json:"createdAt"`
		Email     string `json:"email"`
		ID        string `json:"id"`
		Name      string `json:"name"`
		UpdatedAt string `json:"updatedAt"`
	}{v2Since, "dev@inngest.local", ids.AccountID, "Dev Server", v2Since}}, nil
}

func v2Envs(_ context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
	const most = 250
	if _, err := (v2Query{req.QueryArgs()}).limit(most, 1, most); err != nil {
		return v2Answer{}, err
	}
	type env struct {
		CreatedAt string `json:"createdAt"`
		ID        string `json:"id"`
		Name      string `json:"name"`
		Type      string `json:"type"`
	}
	return v2Answer{data: []env{{v2Since, ids.EnvID, v2EnvName, "TEST"}}, page: &v2Page{}}, nil
}

// v2Keys lists keys in clear, as the reference does: who may ask has the signing key.
func (s *Server) v2Keys(keys func() []string) v2Call {
	type key struct {
		CreatedAt   string `json:"createdAt"`
		Environment string `json:"environment"`
		Key         string `json:"key"`
	}
	return func(_ context.Context, req *fasthttp.RequestCtx, _ params) (v2Answer, error) {
		const most = 100
		if _, err := (v2Query{req.QueryArgs()}).limit(most, 1, most); err != nil {
			return v2Answer{}, err
		}
		answer := v2Answer{page: &v2Page{}}
		if env := string(req.Request.Header.Peek(headerEnv)); env != "" && env != v2EnvName {
			return answer, nil
		}
		var list []key
		now := v2TimeText(time.Now())
		for _, k := range keys() {
			list = append(list, key{now, v2EnvName, k})
		}
		answer.data = v2List(list)
		return answer, nil
	}
}
