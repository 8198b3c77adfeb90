package gateway

import (
	"slices"
	"time"
)

// A progress is how far a call has come on its way to an answer.
type progress struct {
	since time.Time // it waits for its provider
	sent  time.Time // the provider has the request; zero while it has none, and after a try that failed
}

// A span is a time.
type span struct{ from, to time.Time }

// together is how long it was any of some spans.
func together(spans []span) (total time.Duration) {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var until time.Time
	for _, s := range spans {
		if s.from.Before(until) {
			s.from = until
		}
		if s.to.After(s.from) {
			total += s.to.Sub(s.from)
			until = s.to
		}
	}
	return total
}

// Waited is how long, up to now, calls have waited for the provider while it answered
// none of the others. It is not the agent's time.
func (s *Session) Waited() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited()
}

// waited needs the lock. A request that the provider has is taken to be answered
// until it fails, so what was waited never gets less.
func (s *Session) waited() time.Duration {
	now := time.Now()
	waits, served := slices.Clone(s.waits), slices.Clone(s.served)
	for _, p := range s.open {
		w, a := p.spans(now)
		waits, served = append(waits, w), append(served, a)
	}
	return together(append(waits, served...)) - together(served)
}

// spans are the times of waiting and of being answered.
func (p progress) spans(now time.Time) (waits, served span) {
	if p.sent.IsZero() {
		return span{p.since, now}, span{}
	}
	return span{p.since, p.sent}, span{p.sent, now}
}

// waitsFor begins the waiting of a call for its provider.
func (s *Session) waitsFor(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = progress{since: time.Now()}
}

// sends notes when a request was sent; the zero time says that it has come to nothing.
func (s *Session) sends(c *call, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = progress{s.open[c].since, at}
}

// ends notes that a call waits no more, and says for how long it has.
func (s *Session) ends(c *call) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.open[c]
	if !ok {
		return 0
	}
	delete(s.open, c)
	w, a := p.spans(time.Now())
	s.served = append(s.served, a)
	if d := w.to.Sub(w.from); d > time.Millisecond { // less is nobody's fault
		s.waits = append(s.waits, w)
		return d
	}
	return 0
}
