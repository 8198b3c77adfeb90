package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// services are what runs beside the agent's sandbox.
func (w *worker) services() (out []sandbox.Service) {
	for i, s := range w.trial.Case.Sandbox.Services {
		image := w.imageID(w.step.Services[i])
		out = append(out, sandbox.Service{Service: s, Image: image})
		w.attempt.Services = append(w.attempt.Services, engine.ServiceRun{Name: s.Name, Image: image})
	}
	return out
}

// keepLog keeps what a service printed for which a sandbox did not start.
func (w *worker) keepLog(err error) error {
	var failed *sandbox.ServiceError
	if !errors.As(err, &failed) {
		return nil
	}
	return w.serviceLog(failed.Name, failed.Log)
}

// keepServices records which services ended before the attempt did, and keeps
// what all of them printed.
func (w *worker) keepServices(all []sandbox.ServiceState) error {
	var errs error
	for i, s := range all {
		if s.Exit != nil {
			w.attempt.Services[i].Exit = &s.Exit.Code
		}
		errs = errors.Join(errs, w.serviceLog(s.Name, s.Log))
	}
	return errs
}

func (w *worker) serviceLog(name, log string) error {
	return os.WriteFile(filepath.Join(w.dir, store.ServiceLogFile(name)), []byte(strings.ToValidUTF8(log, "\uFFFD")), 0o644)
}

// serving makes sure that all services are there when the agent begins; one that
// has done its work, and ended with 0, need not be. From then on only the agent
// can reach them, and if one ends, that is a part of its attempt: see
// docs/decisions/016.
func serving(all []sandbox.ServiceState) error {
	for _, s := range all {
		if s.Exit != nil && s.Exit.Code != 0 {
			return &sandbox.ServiceError{Name: s.Name, Log: s.Log, Err: fmt.Errorf("ended with exit status %d before the agent began", s.Exit.Code)}
		}
	}
	return nil
}
