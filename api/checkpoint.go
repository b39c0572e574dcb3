package api

// checkpointRoutes adds the checkpoint API (spec 01 §13, 02 §6.10).
func (s *Server) checkpointRoutes(*router) {}
