package api

// realtimeRoutes adds the realtime API.
func (s *Server) realtimeRoutes(*router) {}
