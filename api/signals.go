package api

// signalsRoutes adds the signal API.
func (s *Server) signalsRoutes(*router) {}
