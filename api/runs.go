package api

// runsRoutes adds the endpoints about single runs (spec 02 §7).
func (s *Server) runsRoutes(*router) {}
