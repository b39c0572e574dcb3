package api

// restV2Routes adds the REST API v2 (spec 02 §8).
func (s *Server) restV2Routes(*router) {}
