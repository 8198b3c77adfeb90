package sandbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/engine"
)

// A Service is one that runs beside a sandbox while it lives, in a container of
// its own. The sandbox and all its services share a network on which there is
// nothing else, and find each other by the names of the services.
type Service struct {
	*engine.Service
	Image string // id, from Driver.Image
}

// ServiceLogLimit is how much of the output of a service is kept, in bytes.
const ServiceLogLimit = 1 << 20

// A ServiceState is what became of a service so far.
type ServiceState struct {
	Name string
	Log  string // the beginning and the end of what it printed, with a note of what was cut between them
	Exit *Exit  // nil while it runs
}

// A ServiceError is a service that was not there when its sandbox was to start.
type ServiceError struct {
	Name string
	Log  string // as in ServiceState
	Err  error
}

// Bounds on what an error shows of a log.
const (
	shownLines = 10
	shownBytes = 2 << 10
)

// Error names the service, and shows the end of its log.
func (e *ServiceError) Error() string {
	text := fmt.Sprintf("service %q %v", e.Name, e.Err)
	log := strings.TrimSpace(strings.ToValidUTF8(e.Log, string(utf8.RuneError)))
	if log == "" {
		return text + "; it printed nothing"
	}
	lines := strings.Split(log, "\n")
	end := strings.Join(lines[max(0, len(lines)-shownLines):], "\n")
	if len(end) > shownBytes {
		end = strings.ToValidUTF8(end[len(end)-shownBytes:], "")
	}
	return text + "; its log ends with:\n" + end
}

// Unwrap is what happened.
func (e *ServiceError) Unwrap() error { return e.Err }
