package api

// registerRoutes adds the registration of apps (spec 01 §4, 02 §11.3).
func (s *Server) registerRoutes(*router) {}
