package api

import (
	_ "embed"

	"github.com/valyala/fasthttp"
)

// operationCatalog lists the methods of the REST API v2 that work, each with its route,
// its command and its tool for agents (spec 02 §11.8).
//
//go:embed rest_v2_operations.json
var operationCatalog []byte

// v2Operations answers with the catalog, to everybody.
func v2Operations(req *fasthttp.RequestCtx, _ params) {
	req.Response.Header.Set(headerAllowOrigin, "*")
	req.Response.Header.Set(fasthttp.HeaderCacheControl, "public, max-age=300, stale-while-revalidate=3600")
	req.SetContentType(contentTypeJSON)
	req.SetBody(operationCatalog)
}
