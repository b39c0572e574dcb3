package api

// restV1Routes adds the REST API v1 (spec 02 §6), as far as SDKs do not use it.
func (s *Server) restV1Routes(*router) {}
