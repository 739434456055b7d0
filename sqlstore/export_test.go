package sqlstore

// Recent says which entries are kept in memory, those from first to end-1, and how many bytes they have.
func (s *Store) Recent() (first, end uint64, bytes int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.recent.first, s.recent.end, s.recent.size
}

// WithoutRecent runs fn while Entries has nothing but the log.
func (s *Store) WithoutRecent(fn func()) {
	s.mu.Lock()
	kept := s.recent
	s.recent = recent{}
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	s.recent = kept
	s.mu.Unlock()
}
