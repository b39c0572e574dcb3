package api

// invokeRoutes adds the invoke API (spec 02 §4).
func (s *Server) invokeRoutes(*router) {}
