package apply

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/egress"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// A reach is what can be reached from an agent's sandbox during an attempt: its
// model, and the hosts that the benchfile allows. A nil reach is nothing at all.
type reach struct {
	model  http.Handler  // nil if there is none
	hosts  *egress.Proxy // nil if none are allowed
	log    *os.File
	beside []string // names of services, which are reached without it
}

// openReach opens what the sandbox of the trial may reach, and its log in the draft.
func (w *worker) openReach() (*reach, error) {
	box := w.trial.Case.Sandbox
	r := &reach{}
	if w.talk != nil && w.trial.Agent.Builtin == engine.BuiltinNone {
		r.model = w.talk
	}
	if box.Network == engine.NetworkGateway && len(box.Allow) > 0 {
		log, err := os.Create(filepath.Join(w.dir, store.EgressLogFile))
		if err != nil {
			return nil, err
		}
		for _, v := range box.Services {
			r.beside = append(r.beside, v.Name)
		}
		r.log, r.hosts = log, egress.New(egress.Options{Allow: box.Allow, From: fmt.Sprintf("sandbox %q", box.Name), Log: log})
	}
	if r.model == nil && r.hosts == nil {
		return nil, nil
	}
	return r, nil
}

// handler answers what is asked in the sandbox; nil if nothing is to.
func (r *reach) handler() http.Handler {
	if r == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case egress.ForProxy(q) && r.hosts != nil:
			r.hosts.ServeHTTP(w, q)
		case egress.ForProxy(q):
			http.Error(w, "bench: no hosts are allowed here; name them in allow_hosts of the sandbox", http.StatusForbidden)
		case r.model != nil:
			r.model.ServeHTTP(w, q)
		default:
			http.Error(w, "bench: there is no model here; this is the proxy to the hosts in allow_hosts", http.StatusNotFound)
		}
	})
}

// env tells programs in the sandbox of it.
func (r *reach) env() map[string]string {
	if r == nil || r.hosts == nil {
		return nil
	}
	const proxy = "http://" + sandbox.ServeAddr
	not := strings.Join(append([]string{"localhost", "127.0.0.1", "::1"}, r.beside...), ",")
	return map[string]string{
		"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy, "NO_PROXY": not, "no_proxy": not,
	}
}

// close ends the log, once the sandbox is gone.
func (r *reach) close() error {
	if r == nil || r.hosts == nil {
		return nil
	}
	return errors.Join(r.hosts.Close(), r.log.Close())
}
